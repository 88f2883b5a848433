// Package site reads Hadoop's configuration files (hbase-site.xml, core-site.xml, hdfs-site.xml) as far as a
// client needs them: properties, and ${name} in a value.
package site

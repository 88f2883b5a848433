// Package doctor collects the results of checks, step by step: a Report gets the results of the
// steps. Directory checks a directory on this machine; the checks of a cluster are in the packages of
// its clients (hbase/checks, hdfs).
package doctor

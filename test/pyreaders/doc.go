// Package pyreaders runs Python readers of Avro and Parquet files, and Spark, on files written by
// sluice. It is for tests only. [Run] installs the packages of a set from PyPI into a virtual
// environment once, and runs the set's script.
package pyreaders

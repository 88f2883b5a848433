// Package pyreaders runs other engines of Python's world on our files: those that read Avro,
// those that read Parquet, and Spark. For tests only. [Run] installs a set's packages from PyPI
// into a virtual environment of its own, once, and runs the set's script.
package pyreaders

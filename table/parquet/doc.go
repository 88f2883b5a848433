// Package parquet writes and reads the subset of the Parquet format that this project uses: flat
// columns, optional or required, dictionaries, zstd. It does not depend on what the columns mean.
//
// Use a Writer to write a file, OpenFile and a Decoder to read one.
//
// Files are untrusted input: each length is checked against the size of the file, and memory is
// bounded.
package parquet

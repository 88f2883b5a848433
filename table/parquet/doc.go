// Package parquet writes and reads the subset of the Parquet format that this project
// uses: flat columns, optional or required, dictionaries, zstd. It knows nothing of logs.
//
// A reader believes nothing that a file says: lengths are checked against the file's size,
// and memory is bounded.
package parquet

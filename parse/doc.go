// Package parse turns an Apache LogFormat into a parser of typed records.
//
// [Compile] reads the format once, into a list of steps: a directive and the
// literal text behind it. [Format.Parse] runs the steps over a line and fills a
// record with spans of that line, without allocating. A line that leaves its
// format is read again, with all readings of it (recover.go): every field that
// is certain is there, any other is null, and the record says where and why. No
// line is refused.
//
// The escapes that Apache writes are undone in the typed fields only; the line
// itself stays as it is.
//
// Source for what Apache writes: mod_log_config, mod_logio and mod_ssl of httpd
// 2.4 and trunk.
package parse

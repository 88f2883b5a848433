// Package parse parses lines of Apache logs into typed records.
//
// [Lookup] compiles a LogFormat, a nickname or a pattern (a regular expression), as users write
// them; [Compile] compiles a LogFormat into a list of steps, a directive and the literal after it
// each; [OfStream] compiles the format of a stream; [Auto] recognizes the format from the first lines. [Format.Parse] runs the
// steps over a line and fills a record with spans of that line, without allocations. A line that
// does not match its format is read again with all possible readings (recover.go): every field that
// is certain is set, any other is null, and the record has the position and the reason. No line is
// rejected.
//
// Apache's escapes are undone in the typed fields only; the line itself is not changed.
// [LineWriter] is the inverse of Parse.
//
// Source for Apache's output: mod_log_config, mod_logio and mod_ssl of httpd 2.4 and trunk.
package parse

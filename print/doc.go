// Package print writes entries and summaries to people and programs.
//
// One entry is one line of output, but for avro, a container file. What stays
// apart in the log stays apart in every output:
//
//	            null        empty     a byte that is not UTF-8   control characters
//	json        null        ""        \xhh (two backslashes)     \n \t … \u00hh
//	avrojson    null        ""        \xhh; logbody: \u00hh      the same
//	avro        null        ""        \xhh; logbody: the byte    as they are
//	csv         nothing     ""        \xhh                       \xhh, but for CR, LF and tab
//	tsv         \N          nothing   \xhh                       \n \t \r, else \xhh; \ is \\
//	table       -           ""        \xhh                       \xhh
//
// raw is logbody and a newline, byte for byte; with tsv and avro's logbody it is
// what loses nothing: in json, csv and table \xff can also be four characters
// that stood in the log. parse_error is one text everywhere, "byte 12: %>s: what
// was expected". Times are RFC 3339 in the line's own zone, in avro and avrojson
// microseconds since 1970; numbers are numbers.
//
// Entries of different formats may come in one output. json gives each the
// fields of its own format; the others have the columns of all formats named in
// [Options], in the order in which they are first seen, null where an entry's
// format has none. Fields that one format has as a number and another as a text
// are texts in those columns.
package print

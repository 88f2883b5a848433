// Package print prints entries and reports for people and programs: New returns a Printer of
// entries, Report prints the answer to a question, and Text, Textf and Textln escape text for a
// terminal.
//
// One entry is one line of output, except for avro, a container file. Values that differ in the log
// differ in every output:
//
//	            null        empty     a byte that is not UTF-8   control characters
//	json        null        ""        \xhh (two backslashes)     \n \t … \u00hh
//	avrojson    null        ""        \xhh; logbody: \u00hh      the same
//	avro        null        ""        \xhh; logbody: the byte    as they are
//	csv         nothing     ""        \xhh                       \xhh, but for CR, LF and tab
//	tsv         \N          nothing   \xhh                       \n \t \r, else \xhh; \ is \\
//	table       -           ""        \xhh                       \xhh
//
// raw is logbody and a newline, byte for byte. raw, tsv and avro's logbody lose nothing; in json,
// csv and table \xff can also be four characters of the log. parse_error is the same text
// everywhere, "byte 12: %>s: what was expected". Times are RFC 3339 in the line's own zone, in avro
// and avrojson microseconds since 1970; numbers are numbers.
//
// Entries of different formats may be in one output. json prints the fields of each entry's format;
// the others have the columns of all formats in [Options], in the order of their first use, null if
// an entry's format lacks one. Fields that are a number in one format and text in another are text
// in those columns.
package print

package archive

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// pathElement makes any value an element of a path; different values become different elements.
// Bytes that a path cannot contain become %XX, as in a URL: the slash, the backslash, the colon (which
// HDFS rejects), control characters, bytes that are not UTF-8, the percent sign, and a leading dot
// or underscore, which would hide the files from Hive and Spark.
func pathElement(value string) string {
	if value == "" {
		return "%"
	}
	if plainElement(value) && !strings.Contains(value, "%") {
		return value
	}
	var b strings.Builder
	for i, r := range value {
		_, n := utf8.DecodeRuneInString(value[i:])
		if unsafeRune(r) || r == '%' || i == 0 && (r == '.' || r == '_') {
			for _, c := range []byte(value[i : i+n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
			continue
		}
		b.WriteString(value[i : i+n])
	}
	return b.String()
}

// plainElement reports whether s can be an element of a path without escapes.
func plainElement(s string) bool {
	return s != "" && s[0] != '.' && s[0] != '_' && strings.IndexFunc(s, unsafeRune) < 0
}

func unsafeRune(r rune) bool {
	return r < ' ' || r == 0x7f || r == utf8.RuneError || strings.ContainsRune(`/\:`, r)
}

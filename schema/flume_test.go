package schema_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"sluice/parse"
	"sluice/schema"
)

// TestFlumeRows pins a flume table's rows as the old collector's readers find
// them: attr2hbase("accesslog","prop",…), keys that begin with <nanos>:, all cells text.
func TestFlumeRows(t *testing.T) {
	format, err := parse.Lookup("combined", nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := schema.NewLayout(schema.LayoutFlume)
	if err != nil {
		t.Fatal(err)
	}
	stream := &schema.Stream{ID: 0xab, Host: "web01"}
	encoder := l.NewRowEncoder(stream, format.Fields())
	var rows schema.Rows
	var rec schema.Record
	offset := int64(0)
	for _, line := range []string{
		`83.149.9.216 - frank [17/May/2015:10:05:03 +0200] "GET /a/b.png?x=1 HTTP/1.1" 200 203023 "http://example.org/" "Mozilla/5.0 (X11)"`,
		`83.149.9.216 - - [17/May/2015:10:05:03 +0200] "GET /a/b.png HTTP/1.1" 304 - "-" ""`,
		`::1 ident "" [17/May/2015:10:05:04 +0200] "\x16\x03" 400 0 "-" "say \"hi\""`,
		`not a line of this format`,
	} {
		format.Parse([]byte(line), &rec)
		encoder.Append(&rows, offset, &rec)
		offset += int64(len(line)) + 1
	}
	var b strings.Builder
	fmt.Fprintf(&b, "family %s\n", l.Family)
	for i := range rows.Len() {
		fmt.Fprintf(&b, "%s\n", rows.Key(i))
		for _, c := range rows.Cells(i) {
			fmt.Fprintf(&b, "  %s = %q\n", c.Qualifier, c.Value)
		}
	}
	const path = "testdata/flume_rows.txt"
	if flag.Lookup("rewrite").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s differs; -rewrite writes it anew. Got:\n%s", path, b.String())
	}
}

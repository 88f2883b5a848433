package print

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// untsv decodes the output of appendTSV.
func untsv(t *testing.T, s []byte) []byte {
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			b = append(b, '\t')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case '\\':
			b = append(b, '\\')
		case 'x':
			n, err := strconv.ParseUint(string(s[i+1:i+3]), 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, byte(n))
			i += 2
		default:
			t.Fatalf("escape %q in %q", s[i], s)
		}
	}
	return b
}

// FuzzText decodes the output of every appender with a reader of its format.
func FuzzText(f *testing.F) {
	for _, line := range hostile {
		f.Add([]byte(line))
	}
	f.Add([]byte("\xed\xa0\x80\xf4\x90\x80\x80\xef\xbf\xbd\u2028\u202e\x7f\u0085"))
	kept := newEscaping(escapeHex, "", "\t\r\n")
	f.Fuzz(func(t *testing.T, text []byte) {
		var s string
		if err := json.Unmarshal(appendJSON(nil, text), &s); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if utf8.Valid(text) && s != string(text) {
			t.Fatalf("json: %q is read as %q", text, s)
		}
		if err := json.Unmarshal(appendLatin1(nil, text), &s); err != nil {
			t.Fatal(err)
		}
		var back []byte
		for _, r := range s {
			back = append(back, byte(r))
		}
		if !bytes.Equal(back, text) {
			t.Fatalf("avrojson: %q is read as %q", text, back)
		}
		tsv := appendTSV(nil, text)
		if bytes.ContainsAny(tsv, "\t\n\r\x00") || !utf8.Valid(tsv) {
			t.Fatalf("tsv: %q", tsv)
		}
		if back := untsv(t, tsv); !bytes.Equal(back, text) {
			t.Fatalf("tsv: %q is read as %q", text, back)
		}
		row, err := csv.NewReader(bytes.NewReader(append(append([]byte("first,"), appendCSV(nil, text)...), "\r\n"...))).Read()
		want := strings.ReplaceAll(string(kept.append(nil, text)), "\r\n", "\n") // Go's csv reader converts CR LF to LF
		if err != nil || len(row) != 2 || row[1] != want {
			t.Fatalf("csv: %q is read as %q, %v", text, row, err)
		}
		for _, r := range string(tableText.append(nil, text)) {
			if r < ' ' || r >= 0x7f && r < 0xa0 || turnsText(r) {
				t.Fatalf("control characters are not escaped: %q", r)
			}
		}
	})
}

package print

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/query"
)

const hostileName = "web\x1b[31m01\r\n\u202egol\u2066\u200f\u061c\u2028\xff\u009b2J\x7f\t"

type stringer string

func (s stringer) String() string { return string(s) }

func TestOutputForPeopleIsEscaped(t *testing.T) {
	const want = `web\x1b[31m01\x0d\x0a\xe2\x80\xaegol\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c\xe2\x80\xa8\xff\xc2\x9b2J\x7f\x09`
	if got := Text(hostileName); got != want {
		t.Errorf("%q", got)
	}
	var b bytes.Buffer
	for name, print := range map[string]func(){
		"a text":   func() { Textf(&b, "%s", hostileName) },
		"a String": func() { Textf(&b, "%v", stringer(hostileName)) },
		"texts":    func() { Textf(&b, "%s", []string{hostileName}) },
		"an error": func() { Textf(&b, "%v", fmt.Errorf("x: %w", errors.New(strings.ReplaceAll(hostileName, "\n", "")))) },
		"a line":   func() { Textln(&b, "x", hostileName) },
	} {
		b.Reset()
		print()
		got := strings.TrimSuffix(b.String(), "\n")
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r >= 0x7f }) || !strings.Contains(got, `\x1b[31m`) {
			t.Errorf("%s: %q", name, got)
		}
	}
	b.Reset()
	if Textf(&b, "%v", errors.New("no such file\nhint: look")); b.String() != "no such file\nhint: look" {
		t.Errorf("%q: a hint has no line of its own", &b)
	}
	if got := Text("Grüße, 日本 אבג \U0001F600"); got != "Grüße, 日本 אבג \U0001F600" {
		t.Errorf("%q", got)
	}
}

func TestSpreadsheetsFindNoFormula(t *testing.T) {
	for text, want := range map[string]string{
		"=1+1": `"'=1+1"`, "+1 2": `"'+1 2"`, "-x": `"'-x"`, "@SUM(A1)": `"'@SUM(A1)"`, "\t=1": "\"'\t=1\"", "\r=1": "\"'\r=1\"", "=\"a\"": `"'=""a"""`,
		"-5": `"-5"`, "404": `"404"`, "": `""`, "a=b": `"a=b"`, "x;=1": `"x;=1"`, "'=1": `"'=1"`, "-": `"'-"`, "-1+1": `"'-1+1"`, " =1": `" =1"`,
	} {
		if got := string(appendCSVSafe(nil, []byte(text))); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	var b bytes.Buffer
	r := query.Report{Columns: []string{"path", "count"}, Keys: 1, Rows: []query.Row{
		{{Text: "=cmd|x"}, {Text: "2", Number: true}}, {{Null: true}, {Text: "1", Number: true}}}}
	if err := Report(&b, CSVSafe, Options{CRLF: true}, r); err != nil || b.String() != "\"path\",\"count\"\r\n\"'=cmd|x\",2\r\n,1\r\n" {
		t.Errorf("%q, %v", &b, err)
	}
}

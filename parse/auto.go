package parse

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sluice/schema"
)

// AutoName is the name of the format that is recognized from the first lines.
const AutoName = "auto"

// autoOrder are the formats that Auto tries. Of two that read the same number of lines the first
// wins. agent is not among them, as it reads anything.
var autoOrder = []string{"combined", "combinedio", "vhost_combined", "common", "vhost_common", "referer", vhostCombined}

// vhostCombined is a common format without a port.
const vhostCombined = `%v %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"`

const (
	// maxAutoLines is the number of lines that Auto reads.
	maxAutoLines = 100
	// maxMore is the maximum number of values after those of a known format.
	maxMore = 3
	// maxExampleBytes bounds the part of the first line in the error.
	maxExampleBytes = 200
)

// HeadBytes is the length of a log's start for Auto: more than two of the longest lines that Apache
// writes.
const HeadBytes = 256 << 10

// Auto returns the format that reads most of the first lines of a log, strictly from left to right.
// head is the start of a log; its last line may be cut. It also recognizes a space after each line,
// more values than a format has, and the envelopes of syslog, Docker and Kubernetes. If no format
// reads any of the lines, it returns an error and the format combined, so that the caller can
// continue and store every line raw.
func Auto(head []byte, zone *time.Location) (*Format, error) {
	lines := firstLines(head)
	best, most, err := chooser{lines: lines, zone: zone}.choose()
	if err != nil {
		return nil, err
	}
	for e := syslogEnvelope; int(e) < len(envelopeNames) && 2*most < len(lines); e++ {
		inner := e.open(lines)
		if len(inner) == 0 {
			continue
		}
		f, n, err := chooser{lines: inner, zone: zone}.choose()
		if err != nil {
			return nil, err
		}
		if n > most {
			if best, err = Lookup(e.String()+":"+f.text, zone); err != nil {
				return nil, err
			}
			most = n
		}
	}
	if most == 0 && len(lines) > 0 {
		return best, unknownFormat(best, lines)
	}
	return best, nil
}

// firstLines returns the lines of a log's start that are not empty. The last one may be cut, and is
// only used if it is the first, too.
func firstLines(head []byte) (lines [][]byte) {
	for first := true; len(head) > 0 && len(lines) < maxAutoLines; first = false {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		head = rest
		line = bytes.TrimPrefix(line, []byte(byteOrderMark))
		if (whole || first) && len(trimCR(line)) > 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

// open returns the content of the lines that have the envelope.
func (e envelope) open(lines [][]byte) (inner [][]byte) {
	for _, line := range lines {
		if e == dockerEnvelope {
			if text, reason := dockerLine(nil, line); reason == "" {
				inner = append(inner, text)
			}
		} else if size, reason := e.header(line); reason == "" {
			inner = append(inner, bytes.TrimPrefix(line[size:], []byte(byteOrderMark)))
		}
	}
	return inner
}

// unknownFormat returns the error for a log that no format reads.
func unknownFormat(tried *Format, lines [][]byte) error {
	example := trimCR(lines[0])
	reason := "its first line is"
	if example[0] == '{' && example[len(example)-1] == '}' {
		reason = "its lines are JSON, which is not read, such as"
	}
	if len(example) > maxExampleBytes {
		example = example[:maxExampleBytes]
	}
	var rec schema.Record
	tried.Parse(trimCR(lines[0]), &rec)
	detail := ""
	if rec.Err.Set() {
		detail = fmt.Sprintf(" (as %s: %v)", tried, rec.Err)
	}
	return fmt.Errorf("%w: no format that is known reads any of the first %d lines; %s %q%s; name the format with --format or --pattern",
		ErrFormat, len(lines), reason, example, detail)
}

// chooser finds the format of lines.
type chooser struct {
	lines [][]byte
	zone  *time.Location
	best  *Format
	most  int
}

// choose returns the format that reads most lines, and the number of lines that it reads.
func (c chooser) choose() (*Format, int, error) {
	for _, text := range autoOrder {
		if err := c.try(text); err != nil {
			return nil, 0, err
		}
	}
	for _, variants := range []func() []string{c.blanks, c.more} {
		if 2*c.most >= len(c.lines) {
			break
		}
		for _, text := range variants() {
			if err := c.try(text); err != nil {
				return nil, 0, err
			}
		}
	}
	return c.best, c.most, nil
}

// try keeps the format if it reads more lines than the best one so far.
func (c *chooser) try(text string) error {
	f, err := lookupBare(text, c.zone)
	if err != nil {
		return err
	}
	f.text = text
	if n := f.reads(c.lines); n > c.most || c.best == nil {
		c.best, c.most = f, n
	}
	return nil
}

// known returns the LogFormat of a format that Auto tries.
func known(text string) string {
	if s, ok := nicknames[text]; ok {
		return s
	}
	return text
}

// blanks returns the formats with the blanks at the end of the first line.
func (c chooser) blanks() (texts []string) {
	line := trimCR(c.lines[0])
	blanks := line[len(bytes.TrimRight(line, " \t")):]
	if len(blanks) == 0 {
		return nil
	}
	for _, text := range autoOrder {
		texts = append(texts, known(text)+string(blanks))
	}
	return texts
}

// more returns the formats with one to maxMore more values, quoted or not. The values of an unknown
// header or duration get the name extra; a list of addresses is X-Forwarded-For.
func (c chooser) more() (texts []string) {
	for n := 1; n <= maxMore; n++ {
		for bare := range 1 << n { // a bit for each value without quotes
			for _, text := range autoOrder {
				if text != "referer" {
					texts = append(texts, known(text)+c.moreNames(known(text), n, bare))
				}
			}
		}
	}
	return texts
}

// moreNames returns directives for n values after a format.
func (c chooser) moreNames(text string, n, bare int) string {
	const unknown, unknownBare, forwarded = ` "%{extra}n"`, ` %{extra}n`, ` "%{X-Forwarded-For}i"`
	names := slices.Repeat([]string{unknown}, n)
	for i := range names {
		if bare>>i&1 == 1 {
			names[i] = unknownBare
		}
	}
	f, err := lookupBare(text+strings.Join(names, ""), c.zone)
	if err != nil {
		return "" // try returns the error
	}
	for i := range names {
		if names[i] == unknown && c.areAddresses(f, len(f.fields)-n+i) {
			names[i] = forwarded
		}
	}
	return strings.Join(names, "")
}

// areAddresses reports whether a field is a list of addresses or null in all lines that the format
// reads, and not null in all of them.
func (c chooser) areAddresses(f *Format, field int) bool {
	some := false
	for _, line := range c.lines {
		var rec schema.Record
		if !f.readsLine(line, &rec) {
			continue
		}
		list := rec.Bytes(field)
		if list == nil {
			continue
		}
		for _, address := range strings.Split(string(list), ",") {
			if _, err := netip.ParseAddr(strings.TrimSpace(address)); err != nil {
				return false
			}
		}
		some = true
	}
	return some
}

// reads counts the lines that forward reads. Others are not counted: recover could read a line of
// another format without an error, with values in the wrong fields.
func (f *Format) reads(lines [][]byte) int {
	var rec schema.Record
	n := 0
	for _, line := range lines {
		if f.readsLine(line, &rec) {
			n++
		}
	}
	return n
}

func (f *Format) readsLine(line []byte, rec *schema.Record) bool {
	rec.Reset(line, f.fields)
	var clocks [2]clock
	r := reader{f: f, rec: rec}
	if f.parts {
		r.clocks = &clocks
	}
	r.begin(line)
	return r.forward()
}

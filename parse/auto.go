package parse

import (
	"bytes"
	"fmt"
	"time"

	"sluice/schema"
)

// AutoName is the format that is chosen by looking at the first lines.
const AutoName = "auto"

// autoOrder are the nicknames that Auto chooses from. The first of two that read
// as many lines is taken; agent is left out, because it reads anything.
var autoOrder = []string{"combined", "combinedio", "vhost_combined", "common", "vhost_common", "referer"}

// maxAutoLines is how many lines Auto looks at.
const maxAutoLines = 100

// HeadBytes is how much of a log's start Auto should be given: two of the
// longest lines that Apache writes, and more.
const HeadBytes = 256 << 10

// Auto returns the format that reads most of the first lines of a log as they
// stand, from left to right. head is the start of a log; its last line may be cut. When no format
// reads any of the lines the error says so, and the format is combined, so that
// a caller may go on and keep every line raw.
func Auto(head []byte, zone *time.Location) (*Format, error) {
	var lines [][]byte
	for len(head) > 0 && len(lines) < maxAutoLines {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		if head = rest; whole || len(lines) == 0 {
			lines = append(lines, line)
		}
	}
	var best *Format
	most := 0
	for _, name := range autoOrder {
		f, err := Lookup(name, zone)
		if err != nil {
			return nil, err
		}
		if n := f.reads(lines); n > most || best == nil {
			best, most = f, n
		}
	}
	if most == 0 && len(lines) > 0 {
		return best, fmt.Errorf("%w: none of %v reads any of the first %d lines: name the format with --format or --pattern", ErrFormat, autoOrder, len(lines))
	}
	return best, nil
}

// reads counts the lines that need no reading from both ends: a line of another
// format may come out of that without an error, its values in the wrong fields.
func (f *Format) reads(lines [][]byte) int {
	var rec schema.Record
	n := 0
	for _, line := range lines {
		rec.Reset(line, f.fields)
		var clocks [2]clock
		r := reader{f: f, rec: &rec}
		if f.parts {
			r.clocks = &clocks
		}
		if r.begin(line); r.forward() {
			n++
		}
	}
	return n
}

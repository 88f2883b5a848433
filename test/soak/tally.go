package soak

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// tally is the number of lines and the sum of their hashes. Equal tallies have the same lines, each
// as often, in any order.
type tally struct {
	lines    int64
	sum, sm2 uint64
}

func (t *tally) add(line []byte) {
	h := sha256.Sum256(line)
	t.lines++
	t.sum += binary.LittleEndian.Uint64(h[:])
	t.sm2 += binary.LittleEndian.Uint64(h[8:])
}

// tallies are tallies by host ("web01") and by host and day ("web01 20260903").
type tallies map[string]*tally

// dated matches lines with an unambiguous day. Other lines, such as those with an extra quote,
// count for their host only.
var dated = regexp.MustCompile(`^[0-9a-f.:]+ - [0-9A-Za-z-]+ \[(\d\d/[A-Z][a-z]{2}/\d{4}):\d\d:\d\d:\d\d \+0000\] "`)

// read counts a host's lines. day is that of their directory; "": any. A dated line of another day
// is an error.
func (t tallies) read(r io.Reader, host, day string) error {
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("a line of %s without its end: %q: %w", host, line, err)
		}
		t.of(host).add(line)
		m := dated.FindSubmatch(line)
		if m == nil {
			continue
		}
		at, err := time.Parse("02/Jan/2006", string(m[1]))
		if err != nil {
			return err
		}
		own := at.Format("20060102")
		if day != "" && day != own {
			return fmt.Errorf("a line of %s is in %s of %s: %q", own, day, host, bytes.TrimSpace(line))
		}
		t.of(host + " " + own).add(line)
	}
}

func (t tallies) of(key string) *tally {
	if t[key] == nil {
		t[key] = new(tally)
	}
	return t[key]
}

// equal returns an error that lists the differences.
func (t tallies) equal(got tallies) error {
	var texts []string
	keys := slices.Compact(slices.Sorted(func(yield func(string) bool) {
		for _, m := range []tallies{t, got} {
			for key := range maps.Keys(m) {
				if !yield(key) {
					return
				}
			}
		}
	}))
	for _, key := range keys {
		want, have := t.of(key), got.of(key)
		switch {
		case want.lines != have.lines:
			texts = append(texts, fmt.Sprintf("%s: %d lines, want %d", key, have.lines, want.lines))
		case *want != *have:
			texts = append(texts, fmt.Sprintf("%s: %d lines, with different content", key, have.lines))
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return fmt.Errorf("archive and logs differ: %s", strings.Join(texts, "; "))
}

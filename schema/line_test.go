package schema

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// cutAll is what CutLine makes of data: the lines with their offsets, and what is a hole.
func cutAll(data []byte) (lines []string, holes int) {
	for at := 0; len(data) > 0; {
		line, start, size, ok := CutLine(data)
		if holes += start; ok {
			lines = append(lines, fmt.Sprintf("%d:%s", at+start, line))
		}
		data, at = data[size:], at+size
	}
	return lines, holes
}

func TestNULsBeforeALineAreNoPartOfIt(t *testing.T) {
	hole := strings.Repeat("\x00", 10_000)
	for data, want := range map[string]string{
		"":                     "[] 0",
		"a\nb\n":               "[0:a 2:b] 0",
		"a\n\nb":               "[0:a 2: 3:b] 0",
		hole + "a\nb\n":        "[10000:a 10002:b] 10000",
		"a\n" + hole + "b\n":   "[0:a 10002:b] 10000",
		"a\n" + hole:           "[0:a] 10000",
		hole:                   "[] 10000",
		hole + "\n":            "[10000:] 10000",
		"a\x00b\x00\nc\x00":    "[0:a\x00b\x00 5:c\x00] 0",
		"\x00a\x00\n\x00\x00b": "[1:a\x00 6:b] 3",
	} {
		lines, holes := cutAll([]byte(data))
		if got := fmt.Sprint(lines, " ", holes); got != fmt.Sprint(want) && got != strings.Replace(want, "] ", "]  ", 1) {
			t.Errorf("%.20q: %q, want %q", data, got, want)
		}
		if n := HoleBytes([]byte(data)); n != int64(holes) {
			t.Errorf("%.20q: %d bytes of holes, want %d", data, n, holes)
		}
	}
}

// FuzzCutLine: every byte is a hole's, a newline, or a line's, and lines do not depend on
// where data is cut as long as it is cut at a line's or within a hole.
func FuzzCutLine(f *testing.F) {
	f.Add([]byte("\x00\x00a\nb\x00c\n\x00\x00\x00d"), 1)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		lines, holes := cutAll(data)
		total := holes + bytes.Count(data, []byte("\n"))
		for _, l := range lines {
			_, text, _ := strings.Cut(l, ":")
			total += len(text)
		}
		if total != len(data) {
			t.Fatalf("%d bytes of %d", total, len(data))
		}
		if n := LeadingNULs(data); cut > 0 && cut < n {
			got, more := cutAll(data[cut:])
			if more != holes-cut || len(got) != len(lines) {
				t.Fatalf("%q cut at %d: %q and not %q", data, cut, got, lines)
			}
		}
	})
}

// TestHoleBytesAreThoseInFrontOfLines: the sum of what CutLine leaves out.
func TestHoleBytesAreThoseInFrontOfLines(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		data := make([]byte, rng.IntN(30))
		for i := range data {
			data[i] = "\x00\x00a\n"[rng.IntN(4)]
		}
		var want int64
		for rest := data; len(rest) > 0; {
			_, start, size, _ := CutLine(rest)
			want += int64(start)
			rest = rest[size:]
		}
		if got := HoleBytes(data); got != want {
			t.Fatalf("%q: %d, want %d", data, got, want)
		}
	}
}

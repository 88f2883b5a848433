package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// ReadLines returns every byte in order, for lines of all lengths and readers of all kinds.
func TestReadLinesGivesEveryByteInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var log bytes.Buffer
	for i := range 4000 {
		n := random.IntN(300)
		if i%1000 == 999 {
			n = batchBytes + random.IntN(batchBytes)
		}
		fmt.Fprintf(&log, "%d %s\n", i, strings.Repeat("x", n))
	}
	log.WriteString("no newline at the end")
	text := log.String()
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(text), "halves": iotest.HalfReader(strings.NewReader(text)),
		"end with data": iotest.DataErrReader(strings.NewReader(text)),
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			err := ReadLines(t.Context(), r, func(line []byte, offset int64) error {
				if offset != int64(got.Len()) {
					return fmt.Errorf("a line at %d, not %d", offset, got.Len())
				}
				got.Write(line)
				if got.Len() < len(text) {
					got.WriteByte('\n')
				}
				return nil
			})
			if err != nil || got.String() != text {
				t.Errorf("%d bytes of %d, error %v", got.Len(), len(text), err)
			}
		})
	}
}

// A line without end is cut, so that memory is limited whatever a log contains.
func TestALineWithoutEndIsCut(t *testing.T) {
	const size = 3*MaxLineBytes + 5
	var pieces []int
	err := ReadLines(t.Context(), io.LimitReader(zeros{}, size), func(line []byte, _ int64) error {
		pieces = append(pieces, len(line))
		return nil
	})
	if fmt.Sprint(pieces) != fmt.Sprint([]int{MaxLineBytes, MaxLineBytes, MaxLineBytes, 5}) || err != nil {
		t.Errorf("pieces of %v bytes, %v", pieces, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '0'
	}
	return len(b), nil
}

// NULs before a line are skipped, however many, and the line's offset is that in the file.
func TestNULsBeforeALineAreSkipped(t *testing.T) {
	hole := strings.Repeat("\x00", 2*MaxLineBytes+77)
	var got []string
	err := ReadLines(t.Context(), strings.NewReader("one\n"+hole+"two\n\x00th\x00ree"), func(line []byte, offset int64) error {
		got = append(got, fmt.Sprintf("%d:%s", offset, line))
		return nil
	})
	want := fmt.Sprint([]string{"0:one", fmt.Sprint(4+len(hole), ":two"), fmt.Sprint(9+len(hole), ":th\x00ree")})
	if fmt.Sprint(got) != want || err != nil {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for text, want := range map[string]string{"": "", hole: "", hole + "first\n": "first\n", "\x00\x00a": "a", "first\n\x00": "first\n\x00"} {
		start, n, err := Head(strings.NewReader(text), make([]byte, 100))
		if string(start) != want || n+int64(len(start)) != int64(len(text)) || err != nil {
			t.Errorf("the head is %q after %d bytes, %v", start, n, err)
		}
	}
}

// ReadLines stops when ctx is done, and returns the reader's error after what could be read.
func TestReadLinesStops(t *testing.T) {
	broken := errors.New("broken")
	lines := 0
	count := func([]byte, int64) error { lines++; return nil }
	r := io.MultiReader(strings.NewReader("one\ntwo\nthr"), iotest.ErrReader(broken))
	if err := ReadLines(t.Context(), r, count); !errors.Is(err, broken) || lines != 2 {
		t.Errorf("%d lines, %v; want 2 and the reader's error", lines, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ReadLines(ctx, zeros{}, count); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want canceled", err)
	}
}

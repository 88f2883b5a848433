package tail

import (
	"os"
	"strings"
	"testing"
	"time"
)

// writeAt writes as a program without O_APPEND does.
func (w *world) writeAt(name, text string, offset int64) {
	w.Helper()
	f, err := os.OpenFile(w.path(name), os.O_WRONLY|os.O_CREATE, 0o600)
	w.must(err)
	_, err = f.WriteAt([]byte(text), offset)
	w.must(err)
	w.must(f.Close())
}

func nuls(n int) string { return strings.Repeat("\x00", n) }

// A log that begins with a hole is a new stream after each truncation, although all of them begin
// with NUL bytes in one inode; the copy is not a stream of its own.
func TestALogThatBeginsWithAHole(t *testing.T) {
	for _, copied := range []bool{true, false} {
		w := newWorld(t, "*.log*")
		first, second, third := lines("first", 40), lines("second", 30_000), lines("third", 20)
		w.append("a.log", first)
		w.start()
		offset := int64(len(first))
		rotate := func(n, text string) {
			if copied {
				w.copy("a.log", "a.log."+n)
				w.turn(time.Second)
			}
			w.truncate("a.log")
			w.writeAt("a.log", text, offset)
			offset += int64(len(text))
			w.turns(5)
		}
		rotate("1", second)
		rotate("2", third)
		w.writeAt("a.log", lines("more", 2), offset)
		w.turns(3)
		w.want(first, nuls(len(first))+second, nuls(len(first)+len(second))+third+lines("more", 2))
		w.turns(10)
		if s := w.tailer.Status(); len(s.Holes) != 1 || s.Holes[0].Bytes != int64(len(first)+len(second)) || w.tailer.counters.LostBytes.Load() != 0 {
			t.Errorf("%+v\n%s", s.Holes, w.log.String())
		}
		// After a restart everything is known.
		w.stop()
		w.start()
		w.turns(5)
		w.want(first, nuls(len(first))+second, nuls(len(first)+len(second))+third+lines("more", 2))
		w.tailer.stop()
	}
}

// With a hole of 300 MiB before the first line, and one of 20 MiB between two lines, memory is
// limited to the buffers, and no line has NUL bytes before it.
func TestHolesAreReadInParts(t *testing.T) {
	w := newWorld(t)
	const hole = 300 << 20
	w.writeAt("a.log", lines("a", 3), hole)
	w.writeAt("a.log", lines("b", 3), hole+int64(len(lines("a", 3)))+20<<20)
	w.writeAt("b.log", "\x00\x00whole\x00\n\x00\x00\x00", 0)
	w.hold = true
	w.start()
	got := map[string]string{}
	var read int64
	for range 1000 {
		w.turn(time.Second)
		if len(w.kept) == 0 {
			break
		}
		for _, d := range w.kept {
			if cap(d.buffer) > 2*bufferBytes {
				t.Fatalf("a buffer of %d bytes", cap(d.buffer))
			}
			for _, b := range d.Batches {
				if read += int64(len(b.Data)); strings.Trim(string(b.Data), "\x00") != "" {
					got[b.Stream.Path] += strings.TrimLeft(string(b.Data), "\x00")
				}
			}
			d.Release()
		}
		w.kept = nil
	}
	a, b := got[w.path("a.log")], got[w.path("b.log")]
	if strings.ReplaceAll(a, "\x00", "") != lines("a", 3)+lines("b", 3) || b != "whole\x00\n" {
		t.Errorf("%.900q, %q", a, b)
	}
	if n := strings.Count(w.log.String(), "log has NUL bytes before a line"); n != 2 {
		t.Errorf("logged %d times\n%s", n, w.log.String())
	}
	w.tailer.stop()
}

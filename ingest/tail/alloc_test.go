package tail

import (
	"strings"
	"testing"
)

// The allocations of a sweep do not depend on the number of lines, and a sweep that finds no more
// lines than before makes almost none.
func TestReadingDoesNotAllocateByTheLine(t *testing.T) {
	w := newWorld(t)
	names := []string{"a.log", "b.log", "c.log", "d.log"}
	files := map[string]func(string){}
	for _, name := range names {
		w.append(name, lines(name, 1))
		f := w.open(name)
		defer f.Close()
		files[name] = func(text string) { w.write(f, text) }
	}
	w.start()
	few, many := lines("few", 1), strings.Repeat(lines("many", 1), 2_000)
	read := func(text string) float64 {
		return testing.AllocsPerRun(20, func() {
			for _, name := range names {
				files[name](text)
			}
			w.clock = w.clock.Add(w.latency)
			for taken := int64(len(names) * strings.Count(text, "\n")); taken > 0; {
				if _, _, err := w.tailer.step(w.Context()); err != nil {
					t.Fatal(err)
				}
				for done := false; !done; {
					select {
					case d := <-w.tailer.Deliveries():
						for _, b := range d.Batches {
							taken -= int64(b.Lines)
						}
						d.Release()
					default:
						done = true
					}
				}
			}
		})
	}
	read(many) // buffers and lists grow to their final size
	one, thousands := read(few), read(many)
	t.Logf("%v allocations for %d lines, %v for %d", one, len(names), thousands, len(names)*2_000)
	if one > 10 || thousands > one+10 {
		t.Errorf("%v allocations for %d lines, %v for %d: want a few, and about as many", one, len(names), thousands, len(names)*2_000)
	}
	w.tailer.stop()
}

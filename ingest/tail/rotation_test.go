package tail

import (
	"compress/gzip"
	"os"
	"strings"
	"testing"
	"time"
)

// TestRotation has one scenario a row: what happens to the logs, and what must have been delivered
// for each stream.
func TestRotation(t *testing.T) {
	a, b, c := lines("a", 3), lines("b", 3), lines("c", 3)
	tests := []struct {
		name     string
		patterns []string
		do       func(w *world)
		want     []string
	}{
		{"a log that grows", nil, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.append("access.log", b)
			w.turn(time.Second)
			w.append("access.log", c)
			w.turn(time.Second)
		}, []string{a + b + c}},
		{"a new log is found while running", nil, func(w *world) {
			w.start()
			w.append("access.log", a)
			w.turn(time.Second)
		}, []string{a}},
		{"a log whose first line comes late", nil, func(w *world) {
			w.start()
			w.append("access.log", "")
			w.turn(time.Second)
			w.append("access.log", a[:20])
			w.turn(time.Second)
			w.want()
			w.append("access.log", a[20:])
			w.turn(time.Second)
		}, []string{a}},
		{"a last line waits for its newline", nil, func(w *world) {
			w.append("access.log", a+b[:40])
			w.start()
			w.turns(3)
			w.want(a)
			w.append("access.log", b[40:])
			w.turn(time.Second)
		}, []string{a + b}},
		{"rename, and the old children go on writing", nil, func(w *world) {
			w.start()
			old := w.open("access.log")
			w.write(old, a)
			w.turn(time.Second)
			w.rename("access.log", "access.log.1")
			w.write(old, b)
			w.append("access.log", c)
			w.turn(time.Second)
			w.write(old, b)
			w.turn(time.Second)
			w.turns(200) // the old one is cold then
			w.write(old, c)
			w.turn(time.Second)
			w.must(old.Close())
		}, []string{a + b + b + c, c}},
		{"rename before the first look", nil, func(w *world) {
			w.start()
			w.append("access.log", a)
			w.rename("access.log", "access.log.1")
			w.append("access.log", b)
			w.turn(time.Second)
		}, []string{b, a}},
		{"rename, and removed while an old child still writes", nil, func(w *world) {
			w.start()
			old := w.open("access.log")
			w.write(old, a)
			w.turn(time.Second)
			w.rename("access.log", "access.log.1")
			w.remove("access.log.1")
			w.write(old, b[:40])
			w.turn(time.Second)
			w.want(a)
			w.write(old, b[40:]+c[:40])
			w.turn(time.Second)
			w.must(old.Close())
			for range 70 {
				w.turn(10 * time.Second)
			}
		}, []string{a + b + c[:40]}},
		{"a renamed log's last line without newline is taken once it is quiet", nil, func(w *world) {
			w.append("access.log", a+b[:40])
			w.start()
			w.rename("access.log", "access.log.1")
			w.turns(200)
		}, []string{a + b[:40]}},
		{"a chain of renames", []string{"access.log*"}, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.rename("access.log", "access.log.1")
			w.append("access.log", b)
			w.turn(time.Second)
			w.rename("access.log.1", "access.log.2")
			w.rename("access.log", "access.log.1")
			w.append("access.log", c)
			w.turn(time.Second)
			w.append("access.log.2", c)
			w.append("access.log.1", a)
			w.turn(time.Second)
		}, []string{a + c, b + a, c}},
		{"copytruncate: what was cut off unread is in the copy", nil, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.append("access.log", b)
			w.copy("access.log", "access.log.1")
			w.truncate("access.log")
			w.append("access.log", c)
			w.turn(time.Second)
		}, []string{a + b, c}},
		{"copytruncate, the copy matches the pattern too", []string{"access.log*"}, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.append("access.log", b)
			w.copy("access.log", "access.log.1")
			w.turn(time.Second) // the copy exists beside the log
			w.append("access.log", c)
			w.truncate("access.log") // c was not copied, so it is lost and counted
			w.append("access.log", c)
			w.turns(3)
		}, []string{a + b, c}},
		{"copytruncate, and grown beyond the position before the next look", nil, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.copy("access.log", "access.log.1")
			w.truncate("access.log")
			w.append("access.log", c+b+c)
			w.turn(time.Second)
		}, []string{a, c + b + c}},
		{"truncated to the very length, with newlines at the same places", nil, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.truncate("access.log")
			w.append("access.log", b)
			w.turn(time.Second)
		}, []string{a, b}},
		{"copytruncate with a compressed copy", nil, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.append("access.log", b)
			w.gzip(a+b, "access.log.1.gz")
			w.truncate("access.log")
			w.append("access.log", c)
			w.turn(time.Second)
		}, []string{a + b, c}},
		{"copytruncate of a cold log", nil, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.turns(200)
			if n := w.openFiles(); n != 0 {
				t.Errorf("a cold log has %d descriptors", n)
			}
			w.append("access.log", b)
			w.copy("access.log", "access.log.1")
			w.truncate("access.log")
			w.append("access.log", c)
			w.turn(time.Second)
		}, []string{a + b, c}},
		{"removed and made again", nil, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.remove("access.log")
			w.append("access.log", b)
			w.turn(time.Second)
		}, []string{a, b}},
		{"a cold log removed and made again, perhaps with its inode", nil, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.turns(200)
			w.remove("access.log")
			w.append("access.log", b)
			w.turn(time.Second)
		}, []string{a, b}},
		{"a hard link and a symbolic link are the same log", nil, func(w *world) {
			w.append("access.log", a)
			w.must(os.Link(w.path("access.log"), w.path("hard.log")))
			w.must(os.Symlink("access.log", w.path("soft.log")))
			w.start()
			w.must(os.Link(w.path("access.log"), w.path("later.log")))
			w.append("access.log", b)
			w.turn(time.Second)
			w.remove("access.log")
			w.append("hard.log", c)
			w.turn(time.Second)
		}, []string{a + b + c}},
		{"a copy made by hand is not stored again", []string{"access.log*"}, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.copy("access.log", "access.log.20261124")
			w.append("access.log", b)
			w.turns(5)
		}, []string{a + b}},
		{"two logs that begin alike are two logs", []string{"access.*"}, func(w *world) {
			w.append("access.1", a)
			w.start()
			w.append("access.2", a)
			w.turns(2)
			w.append("access.2", b)
			w.append("access.1", c)
			w.turns(40)
		}, []string{a + c, a + b}},
		{"a cold log is read when it is written again", nil, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.turns(200)
			w.append("access.log", b)
			w.turn(time.Second)
			w.turns(200)
			w.append("access.log", c)
			w.turn(time.Second)
		}, []string{a + b + c}},
		{"a cold log is renamed, then written", nil, func(w *world) {
			w.append("access.log", a)
			w.start()
			w.turns(200)
			old := w.open("access.log")
			w.rename("access.log", "access.log.1")
			w.append("access.log", c)
			w.write(old, b)
			w.must(old.Close())
			w.turn(time.Second)
		}, []string{a + b, c}},
		{"a line of 3 MB", nil, func(w *world) {
			w.start()
			w.append("access.log", a+strings.Repeat("x", 3<<20))
			w.turn(time.Second)
			w.append("access.log", "y\n"+b)
			w.turn(time.Second)
		}, []string{a + strings.Repeat("x", 3<<20) + "y\n" + b}},
		{"more at once than the buffers hold", nil, func(w *world) {
			w.append("access.log", strings.Repeat(a, 30_000))
			w.start()
			w.append("error.log", strings.Repeat(b, 30_000))
			w.turn(time.Second)
		}, []string{strings.Repeat(a, 30_000), strings.Repeat(b, 30_000)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, test.patterns...)
			test.do(w)
			w.want(test.want...)
			w.tailer.stop()
		})
	}
}

func (w *world) gzip(text, name string) {
	w.Helper()
	f, err := os.Create(w.path(name))
	w.must(err)
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(text))
	w.must(err)
	w.must(z.Close())
	w.must(f.Close())
}

package tail

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a directory of logs, a clock, and a Tailer that is stepped. It keeps what the Tailer
// delivers by stream, and checks that every batch begins where the previous one ended.
type world struct {
	host string // empty: web01
	testing.TB
	dir        string
	clock      time.Time
	sources    []Source
	changing   *SourceSet
	fromEnd    bool
	latency    time.Duration
	gate       Gate
	minMargin  time.Duration
	checkpoint *checkpoint.File
	tailer     *Tailer
	got        map[schema.StreamID][]byte
	order      []schema.StreamID
	log        strings.Builder
	maxOpen    int
	remote     bool // writes cause no event
	writers    func(fd int) writers
	hold       bool // deliveries are not received
	kept       []*Delivery
	births     map[logfile.ID]int64     // if not nil: when files were created
	born       map[string]time.Duration // by name: when a file was created, by the world's clock
}

func newWorld(t testing.TB, patterns ...string) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir(), clock: time.Now(), latency: time.Second, got: map[schema.StreamID][]byte{}}
	if len(patterns) == 0 {
		patterns = []string{"*.log"}
	}
	w.follow(patterns...)
	return w
}

// follow replaces the sources.
func (w *world) follow(patterns ...string) {
	w.sources = nil
	for _, p := range patterns {
		prefix, rest := "", p
		if after, ok := strings.CutPrefix(p, regexpPrefix); ok {
			prefix, rest = regexpPrefix, after
		}
		w.sources = append(w.sources, Source{Pattern: prefix + w.dir + "/" + rest, Format: "common", Labels: map[string]string{"of": p}})
	}
}

// start starts the Tailer with the checkpoint of the file.
func (w *world) start() {
	w.Helper()
	cp, err := checkpoint.Open(vfs.OS{}, filepath.Join(w.dir, "state", "checkpoint"), "c1")
	if err != nil {
		w.Fatal(err)
	}
	w.checkpoint = cp
	w.tailer, err = New(Config{
		Sources: w.sources, Changing: w.changing, Host: cmp.Or(w.host, "web01"), Checkpoint: cp, FromEnd: w.fromEnd, Latency: w.latency, Gate: w.gate, MinMargin: w.minMargin, MaxOpen: w.maxOpen, writers: w.writers,
		local: func(fd int) bool { return !w.remote && isLocal(fd) },
		Log:   slog.New(slog.NewTextHandler(&w.log, nil)), Now: func() time.Time { return w.clock },
	})
	if err != nil {
		w.Fatal(err)
	}
	w.tailer.bornAt = w.bornAt
	w.tailer.set.moved = w.moved
	if err := w.tailer.start(); err != nil {
		w.Fatal(err)
	}
	w.turn(0)
}

// crash ends the Tailer without saving anything.
func (w *world) crash() {
	for _, f := range w.tailer.set.files {
		w.tailer.set.closeFile(f)
	}
	w.tailer.watch.close()
	w.tailer = nil
}

// stop ends the Tailer and saves what was delivered as stored.
func (w *world) stop() {
	w.Helper()
	w.tailer.set.noteSizes()
	w.save()
	w.tailer.stop()
	w.tailer = nil
}

func (w *world) save() {
	w.Helper()
	if err := os.MkdirAll(filepath.Join(w.dir, "state"), 0o700); err != nil {
		w.Fatal(err)
	}
	if err := w.checkpoint.Save(); err != nil {
		w.Fatal(err)
	}
}

// turn advances the clock by d, and steps until the Tailer only waits.
func (w *world) turn(d time.Duration) {
	w.Helper()
	w.clock = w.clock.Add(d)
	for range 1000 {
		pause, _, err := w.tailer.step(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		w.take()
		if pause != 0 {
			return
		}
	}
	w.Fatal("the tailer does not come to rest")
}

// turns advances the clock in steps of a second.
func (w *world) turns(n int) {
	w.Helper()
	for range n {
		w.turn(time.Second)
	}
}

func (w *world) take() {
	w.Helper()
	for {
		select {
		case d := <-w.tailer.Deliveries():
			w.kept = append(w.kept, d)
		default:
			if !w.hold {
				for _, d := range w.kept {
					w.deliver(d)
				}
				w.kept = nil
			}
			return
		}
	}
}

func (w *world) deliver(d *Delivery) {
	w.Helper()
	for _, b := range d.Batches {
		id := b.Stream.ID
		have := int64(len(w.got[id])) + b.Stream.SkippedBytes
		if b.Start != have || b.Len() != int64(len(b.Data)) {
			w.Fatalf("%s: a batch %v of %d bytes after %d", b.Stream.Path, b.Range, len(b.Data), have)
		}
		if got := w.got[id]; len(got) > 0 && got[len(got)-1] != '\n' && got[len(got)-1] != 0 && len(got)-bytes.LastIndexByte(got, '\n')-1 < logfile.MaxLineBytes {
			w.Fatalf("%s: a line was taken to end at %d, and goes on with %.40q", b.Stream.Path, have, b.Data)
		}
		if n := strings.Count(strings.TrimSuffix(string(b.Data), "\n"), "\n") + 1; n != b.Lines {
			w.Fatalf("%s: a batch of %d lines says it has %d", b.Stream.Path, n, b.Lines)
		}
		if !slices.Contains(w.order, id) {
			w.order = append(w.order, id)
			w.save() // as Follow does
		}
		w.got[id] = append(w.got[id], b.Data...)
		w.checkpoint.Fingerprints.Remember(b.Stream, b.Data, b.End)
		w.checkpoint.Update(func() { b.Stream.Stored = b.End })
	}
	d.Release()
}

// want fails unless the streams, in the order in which they were found, have these texts.
func (w *world) want(texts ...string) {
	w.Helper()
	var got []string
	for _, id := range w.order {
		got = append(got, string(w.got[id]))
	}
	if !slices.Equal(got, texts) {
		w.Errorf("delivered\n%s\nwant\n%s\nlog:\n%s", brief(got), brief(texts), w.log.String())
	}
}

func brief(texts []string) string {
	var b strings.Builder
	for _, t := range texts {
		if len(t) > 300 {
			t = fmt.Sprintf("%s … (%d bytes)", t[:300], len(t))
		}
		fmt.Fprintf(&b, "  %q\n", t)
	}
	return b.String()
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// append writes as Apache does: with O_APPEND, and creates the log if necessary.
func (w *world) append(name, text string) {
	w.Helper()
	f := w.open(name)
	w.write(f, text)
	w.must(f.Close())
}

func (w *world) open(name string) *os.File {
	w.Helper()
	f, err := os.OpenFile(w.path(name), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	w.must(err)
	return f
}

func (w *world) write(f *os.File, text string) {
	w.Helper()
	_, err := f.WriteString(text)
	w.must(err)
}

func (w *world) rename(from, to string) { w.Helper(); w.must(os.Rename(w.path(from), w.path(to))) }

func (w *world) remove(name string) { w.Helper(); w.must(os.Remove(w.path(name))) }

func (w *world) copy(from, to string) {
	w.Helper()
	b, err := os.ReadFile(w.path(from))
	w.must(err)
	w.must(os.WriteFile(w.path(to), b, 0o600))
}

func (w *world) truncate(name string) { w.Helper(); w.must(os.Truncate(w.path(name), 0)) }

// openFiles returns the number of descriptors that this process has for files in the directory.
func (w *world) openFiles() (n int) {
	w.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	w.must(err)
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, w.dir) {
			n++
		}
	}
	return n
}

// lines returns n lines of a log; different tags give different lines.
func lines(tag string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `10.0.0.1 - - [24/Nov/2026:10:00:%02d +0000] "GET /%s/%d HTTP/1.1" 200 %d`+"\n", i%60, tag, i, i)
	}
	return b.String()
}

func (w *world) reopen() *checkpoint.File {
	w.Helper()
	cp, err := checkpoint.Open(vfs.OS{}, w.path("state/checkpoint"), "c1")
	w.must(err)
	return cp
}

// bornAt returns when a file was created: files that a test names in born are created so long after
// the others.
func (w *world) bornAt(id logfile.ID) int64 {
	if w.births != nil {
		return w.births[id]
	}
	born := time.Duration(1e9)
	for name, later := range w.born {
		info, err := os.Stat(w.path(name))
		if err != nil {
			continue
		}
		if is, err := logfile.IDOf(info); err == nil && is == id {
			born += later
		}
	}
	return int64(born)
}

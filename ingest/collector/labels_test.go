package collector

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/archive"
	"sluice/ingest/checkpoint"
	"sluice/ingest/collector/collectortest"
	"sluice/ingest/logfile"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
	"sluice/schema"
)

// labelled maps the values of the label site of one host's logs to the directories of their lines.
var labelled = map[string]string{"shop": "shop", "a/../b": "a%2F..%2Fb", "": "unknown", "unknown": "%75nknown"}

// logOf returns a log in which each line, with a time or without, contains its site.
func logOf(site string) string {
	var b strings.Builder
	for i := range 40 {
		if i%9 == 4 {
			fmt.Fprintf(&b, "bad line %d of <%s>\n", i, site)
			continue
		}
		fmt.Fprintf(&b, "192.0.2.%d - - [%d/May/2015:23:59:59 +0200] \"GET /%d?<%s> HTTP/1.1\" 200 1\n", i, 17+i/10%2, i, site)
	}
	return b.String()
}

// labelledLife runs a collector that receives all logs, some lines of each in turn, until they are
// stored or an error occurs.
func labelledLife(fs *crashfs.FS, table *collectortest.Table, archive *collectortest.Archive, naming Naming, random *rand.Rand) error {
	ctx := context.Background()
	if err := vfs.MkdirAll(fs, "/data", 0o700); err != nil {
		return err
	}
	file, err := checkpoint.Open(fs, "/data/checkpoint", "c1")
	if err != nil {
		return err
	}
	var streams []*checkpoint.Stream
	var logs []string
	for i, site := range []string{"shop", "a/../b", "", "unknown"} {
		log := logOf(site)
		seen := checkpoint.Log{Path: "access.log", ID: logfile.ID{Device: 1, Inode: uint64(i)}, Start: []byte(log), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(log)), nil }}
		s, err := file.Identify(schema.StreamEntry{Stream: schema.Stream{Host: "web01", Path: "access.log", Format: "common"}, Labels: map[string]string{"site": site}}, seen)
		if err != nil {
			return err
		}
		streams, logs = append(streams, s), append(logs, log)
	}
	if err := file.Save(); err != nil {
		return err
	}
	c, err := New(ctx, Config{
		FS: fs, SpoolDir: "/data/spool", Checkpoint: file, Table: table, Archive: archive,
		Naming: naming, RollBytes: 1500, KeepLocal: time.Hour, Level: 1, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	for left := len(streams); left > 0; {
		left = 0
		for i, s := range streams {
			start := int(c.Received(s))
			if start == len(logs[i]) {
				continue
			}
			left++
			end := min(len(logs[i])-1, start+random.IntN(900))
			end += strings.IndexByte(logs[i][end:], '\n') + 1
			data := []byte(logs[i][start:end])
			r := schema.Range{Start: int64(start), End: int64(end)}
			err := c.Append(ctx, s, schema.Batch{Stream: &s.Stream, Range: r, Data: data, Lines: logfile.CountLines(data)})
			if err == nil && random.IntN(3) == 0 {
				err = c.Sync(ctx, s, r)
			}
			if err != nil {
				return errors.Join(err, c.Abort())
			}
		}
	}
	return c.Close(ctx)
}

// TestAnOpenSegmentsLabelsSurviveAPowerCut simulates a power failure at every operation on the disk
// and in the archive. The lines of open segments must then be archived in the directories of their
// labels, which only the segments themselves contain.
func TestAnOpenSegmentsLabelsSurviveAPowerCut(t *testing.T) {
	naming, err := archive.ParsePattern("/logs/%Y%m%d/%{label:site}/%{host}")
	if err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() {
		step = 5
	}
	for op := 0; ; op += step {
		random := rand.New(rand.NewPCG(7, uint64(op)))
		fs, table := crashfs.New(), collectortest.NewTable()
		archive := collectortest.NewArchive(fs)
		count := 0
		var counting sync.Mutex
		dead := func() error {
			counting.Lock()
			defer counting.Unlock()
			if count++; count > op {
				return crashfs.ErrInjected
			}
			return nil
		}
		fs.Fail = func(crashfs.Op) error { return dead() }
		archive.Fail = dead
		first := labelledLife(fs, table, archive, naming, random)
		if first != nil && !errors.Is(first, crashfs.ErrInjected) {
			t.Fatalf("operation %d: %v", op, first)
		}
		table.Crash(random)
		fs = fs.Crash(random)
		archive.FS, archive.Fail = fs, func() error { return nil }
		if err := labelledLife(fs, table, archive, naming, random); err != nil {
			t.Fatalf("operation %d, after %v: %v", op, first, err)
		}
		checkLabelled(t, op, archive)
		for _, name := range fs.Names() {
			if name != "/data/checkpoint" && !strings.HasSuffix(name, segment.StoredSuffix) {
				t.Fatalf("operation %d: %s is left", op, name)
			}
		}
		// Clear the archive's files, as if a repair had written them again: kept segments must not
		// be stored again.
		for name := range archive.Files {
			archive.Files[name] = nil
		}
		if err := labelledLife(fs, table, archive, naming, random); err != nil {
			t.Fatalf("operation %d, a life with nothing to do: %v", op, err)
		}
		if first == nil {
			t.Logf("%d operations", op)
			return
		}
	}
}

// checkLabelled fails unless the archive contains each line once, in a directory of its site.
func checkLabelled(t *testing.T, op int, archive *collectortest.Archive) {
	t.Helper()
	var want, got []string
	for site := range labelled {
		want = append(want, strings.Split(strings.TrimSuffix(logOf(site), "\n"), "\n")...)
	}
	for name, content := range archive.Files {
		text := unzip(t, content)
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			_, site, _ := strings.Cut(line, "<")
			site, _, _ = strings.Cut(site, ">")
			if dir := path.Base(path.Dir(path.Dir(name))); dir != labelled[site] {
				t.Fatalf("operation %d: %s holds a line of the site %q: %s", op, name, site, line)
			}
			got = append(got, line)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("operation %d: the archive holds %d lines, want %d", op, len(got), len(want))
	}
}

func unzip(t *testing.T, content []byte) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLabelsThatChangeBeginAnotherSegment checks a log whose labels the operator changes.
func TestLabelsThatChangeBeginAnotherSegment(t *testing.T) {
	naming, err := archive.ParsePattern("/logs/%Y%m%d/%{label:site}")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *Config) { c.Naming, c.RollBytes = naming, 1<<20 })
	log := strings.Repeat("192.0.2.1 - - [17/May/2015:10:00:00 +0200] \"GET / HTTP/1.1\" 200 1\n", 20)
	half := len(log) / 2
	s := r.stream(t, "web01", log, 1)
	for i, site := range []string{"a", "b"} {
		r.cp.Update(func() { s.Labels = map[string]string{"site": site, "other": fmt.Sprint(i)} })
		data := []byte(log[i*half : (i+1)*half])
		b := schema.Batch{Stream: &s.Stream, Range: schema.Range{Start: int64(i * half), End: int64((i + 1) * half)}, Data: data, Lines: 10}
		if err := r.collector.Append(t.Context(), s, b); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"20150517/a/access.c1-000001.log.gz": log[:half], "20150517/b/access.c1-000002.log.gz": log[half:]} {
		if got := unzip(t, r.archive.Files[name]); got != want {
			t.Errorf("%s holds %q", name, got)
		}
	}
}

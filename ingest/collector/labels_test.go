package collector

import (
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"sluice/archive"
	"sluice/ingest/collector/collectortest"
	"sluice/schema"
	"sluice/test/replay"
)

// labelled maps the values of the label site of one host's logs to the directories of their lines.
var labelled = map[string]string{"shop": "shop", "a/../b": "a%2F..%2Fb", "": "unknown", "unknown": "%75nknown"}

// sites are the keys of labelled, in the order of the logs.
var sites = []string{"shop", "a/../b", "", "unknown"}

// logOf returns a log of so many lines, in which each line, with a time or without, contains its site.
func logOf(site string, lines int) string {
	var b strings.Builder
	for i := range lines {
		if i%9 == 4 {
			fmt.Fprintf(&b, "bad line %d of <%s>\n", i, site)
			continue
		}
		fmt.Fprintf(&b, "192.0.2.%d - - [%d/May/2015:23:59:59 +0200] \"GET /%d?<%s> HTTP/1.1\" 200 1\n", i, 17+i/10%2, i, site)
	}
	return b.String()
}

// label gives the machine an archive with a directory for each site, and a log of so many lines for
// each site.
func (m *machine) label(t testing.TB, lines int) {
	naming, err := archive.ParsePattern("/logs/%Y%m%d/%{label:site}/%{host}")
	if err != nil {
		t.Fatal(err)
	}
	m.naming = naming
	for _, site := range sites {
		m.logs = append(m.logs, &machineLog{text: logOf(site, lines), labels: map[string]string{"site": site}})
	}
}

// TestAnOpenSegmentsLabelsSurviveAPowerCut simulates a power failure at every operation on the disk
// and in the archive. The lines of open segments must then be archived in the directories of their
// labels, which only the segments themselves contain.
func TestAnOpenSegmentsLabelsSurviveAPowerCut(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 5
	}
	var m *machine
	crashes(&m).Each(t, *replayFile, func(yield func(replay.Script) bool) {
		for n, more := 0, true; more; n += step {
			if !yield(labelledFailsAt(n)) {
				return
			}
			if more = m.failed; !more {
				t.Logf("%d operations", n)
			}
		}
	})
}

// labelledFailsAt returns a script in which a collector receives some lines of each labelled log in
// turn and power fails at operation n.
func labelledFailsAt(n int) replay.Script {
	random := rand.New(rand.NewPCG(7, uint64(n)))
	s := replay.Script{replay.NewOp("store", "rows"), replay.NewOp("labelled", 40), replay.NewOp("fail-from", n), replay.NewOp("start")}
	left := make([]int, len(sites))
	for i, site := range sites {
		left[i] = len(logOf(site, 40))
	}
	for slices.Max(left) > 0 {
		for i := range left {
			if left[i] <= 0 {
				continue
			}
			size := 1 + random.IntN(900)
			left[i] -= size
			s = append(s, replay.NewOp("append", i, size))
			if random.IntN(3) == 0 {
				s = append(s, replay.NewOp("sync", i))
			}
		}
	}
	return append(s, replay.NewOp("close"), replay.NewOp("crash", random.IntN(1000)))
}

// checkLabelled fails unless the archive contains each line of the logs once, in a directory of its site.
func checkLabelled(t testing.TB, logs []*machineLog, archive *collectortest.Archive) {
	t.Helper()
	var want, got []string
	for _, l := range logs {
		want = append(want, strings.Split(strings.TrimSuffix(l.text, "\n"), "\n")...)
	}
	for name, content := range archive.Files {
		text := unzip(t, content)
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			_, site, _ := strings.Cut(line, "<")
			site, _, _ = strings.Cut(site, ">")
			if dir := path.Base(path.Dir(path.Dir(name))); dir != labelled[site] {
				t.Fatalf("%s holds a line of the site %q: %s", name, site, line)
			}
			got = append(got, line)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("the archive holds %d lines, want %d", len(got), len(want))
	}
}

func unzip(t testing.TB, content []byte) string {
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

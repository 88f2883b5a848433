package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"sluice/ingest/protocol"
	"sluice/ingest/tail"
	"sluice/schema"
)

func TestABatchIsCutAfterLines(t *testing.T) {
	for _, c := range []struct {
		data string
		n    int
		want []string
	}{
		{"a\nb\nc\n", 6, []string{"a\nb\nc\n"}},
		{"a\nb\nc\n", 5, []string{"a\nb\n", "c\n"}},
		{"a\nb\nc\n", 2, []string{"a\n", "b\n", "c\n"}},
		{"a\nlonger\nc\n", 3, []string{"a\n", "longer\n", "c\n"}},
		{"longer\n", 3, []string{"longer\n"}},
		{"a\nno end", 3, []string{"a\n", "no end"}},
	} {
		b := tail.Batch{Range: schema.Range{Start: 100, End: 100 + int64(len(c.data))}, Data: []byte(c.data), Lines: strings.Count(c.data, "\n")}
		if !strings.HasSuffix(c.data, "\n") {
			b.Lines++
		}
		var got []string
		at, lines := b.Start, 0
		for part := range cut(b, c.n) {
			if part.Start != at || part.Len() != int64(len(part.Data)) {
				t.Errorf("%q: %q is at %v, and the part before ends at %d", c.data, part.Data, part.Range, at)
			}
			got, at, lines = append(got, string(part.Data)), part.End, lines+part.Lines
		}
		if !slices.Equal(got, c.want) || at != b.End || lines != b.Lines {
			t.Errorf("%q in parts of %d: %q, %d lines, want %q, %d", c.data, c.n, got, lines, c.want, b.Lines)
		}
	}
}

func TestBatchesHaveTheSizeThatTheCollectorAsksFor(t *testing.T) {
	const long = 100_000 // bytes of one line, more than a batch
	dir := t.TempDir()
	text := lines(10_000) + strings.Repeat("x", long-1) + "\n" + lines(10_000)
	if err := os.WriteFile(filepath.Join(dir, "a.log"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n, first, _ := agentOf(t, logsIn(dir))
	defer n.close()
	first.asks = minBatchBytes
	end := running(n)
	await(t, "the collector has all", func() bool {
		first.mu.Lock()
		defer first.mu.Unlock()
		return received(first) == int64(len(text))
	})
	if err := end(); err != nil {
		t.Error(err)
	}
	first.whole(t, 0, int64(len(text)))
	for _, r := range first.took {
		if r.Len() > minBatchBytes && r.Len() != long {
			t.Errorf("a batch of %d bytes", r.Len())
		}
	}
}

// A collector with many hosts grants each of them less memory.
func TestLinesInFlightAreLimitedByWhatTheCollectorAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, batches = 20 << 10, 6
		n, first, _ := agentOf(t, nil)
		defer n.close()
		first.asks, first.hold = minBatchBytes, make(chan struct{})
		s := n.stream(t)
		data := []byte(strings.Repeat(putLine, size/len(putLine)))
		n.sending()
		for i := range int64(batches) {
			m := protocol.Batch{Stream: s.ID, Range: schema.Range{Start: i * size, End: (i + 1) * size}, Lines: size / len(putLine), Body: data}
			if err := n.window.add(t.Context(), &encodedBatch{stream: s, Range: m.Range, head: m.AppendHead(nil), body: m.Body, tail: tailOf(s.ID, data, m.Range.End)}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		first.set(func(f *far) {
			if want := minBatchBytes / size; len(f.took) != want {
				t.Errorf("%d batches are in flight, want %d of %d bytes", len(f.took), want, size)
			}
		})
		close(first.hold)
		synctest.Wait()
		first.whole(t, 0, batches*size)
	})
}

func TestTheShareFollowsWhatTheCollectorAsksFor(t *testing.T) {
	for _, c := range []struct{ asked, batch, inFlight int }{
		{0, tailBytes, maxInFlightBytes},
		{64 << 20, tailBytes, maxInFlightBytes},
		{512 << 10, 512 << 10, 4 << 20},
		{256 << 10, 256 << 10, 1 << 20},
		{1, minBatchBytes, minBatchBytes},
	} {
		var s share
		if s.ask(c.asked); s.batchBytes() != c.batch || s.inFlightBytes() != int64(c.inFlight) {
			t.Errorf("asked for %d: batches of %d, %d in flight", c.asked, s.batchBytes(), s.inFlightBytes())
		}
	}
}

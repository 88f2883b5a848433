package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/checkpoint"
	"sluice/ingest/collector/collectortest"
	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
	"sluice/schema"
	"sluice/test/replay"
)

// rig is a collector with a file system in memory and its sinks.
type rig struct {
	fs        *crashfs.FS
	table     *collectortest.Table
	archive   *collectortest.Archive
	columns   *collectortest.Archive
	cp        *checkpoint.File
	collector *Collector
	cfg       Config
}

func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	r := &rig{fs: crashfs.New(), table: collectortest.NewTable()}
	r.archive, r.columns = collectortest.NewArchive(nil), collectortest.NewArchive(nil)
	sinks{r.table, r.archive, r.columns}.use(r.fs, func() error { return nil })
	if err := vfs.MkdirAll(r.fs, "/data", 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.cp, err = checkpoint.Open(r.fs, "/data/checkpoint", "c1"); err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		FS: r.fs, SpoolDir: "/data/spool", Checkpoint: r.cp, Table: r.table, Archive: r.archive, Naming: collectortest.Days{},
		Columns: r.columns, ColumnNaming: collectortest.Days{}, rowGroupRows: 50, RollBytes: 900, Level: 1, RetryFailures: true, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	r.cfg = cfg
	if r.collector, err = New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

// restart aborts the collector and starts another one on the same file system.
func (r *rig) restart(t testing.TB) {
	t.Helper()
	err := r.collector.Abort()
	if err == nil {
		r.cp, err = checkpoint.Open(r.fs, "/data/checkpoint", "c1")
	}
	if err == nil {
		r.cfg.Checkpoint = r.cp
		r.collector, err = New(t.Context(), r.cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// stream adds a log of a host to the checkpoint.
func (r *rig) stream(t testing.TB, host, log string, inode uint64) *checkpoint.Stream {
	t.Helper()
	origin := schema.StreamEntry{Stream: schema.Stream{Host: host, Path: "access.log", Format: "common"}}
	s, err := r.cp.Logs.Identify(origin, checkpoint.Log{Path: origin.Path, ID: logfile.ID{Device: 1, Inode: inode}, Start: []byte(log), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(log)), nil }})
	if err == nil {
		err = r.cp.Save()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// send offers a log in batches, and waits until each is on disk, as a sender does.
func (r *rig) send(ctx context.Context, s *checkpoint.Stream, log string, random *rand.Rand) (err error) {
	for position := 0; position < len(log) && err == nil; {
		position, err = r.sendOne(ctx, s, log, position, 1+random.IntN(900))
	}
	return err
}

// sendOne offers at least so many bytes of a log from a position on, to the end of a line. It
// returns the position of the next batch.
func (r *rig) sendOne(ctx context.Context, s *checkpoint.Stream, log string, position, bytes int) (int, error) {
	end := min(len(log), position+bytes)
	if i := strings.IndexByte(log[end:], '\n'); i >= 0 {
		end += i + 1
	} else {
		end = len(log)
	}
	data := []byte(log[position:end])
	b := schema.Batch{Stream: &s.Stream, Range: schema.Range{Start: int64(position), End: int64(end)}, Data: data, Lines: logfile.CountLines(data)}
	err := r.collector.Offer(ctx, s, b)
	if err == nil {
		err = r.collector.Sync(ctx, s, b.Range)
	}
	if errors.Is(err, ErrBusy) {
		return int(r.collector.Received(s)), nil // lines that the disk lost are sent again
	}
	return end, err
}

// holds fails unless each sink contains exactly these lines and the spool is empty.
func (r *rig) holds(t testing.TB, what string, logs ...string) {
	t.Helper()
	var want []string
	for _, log := range logs {
		want = append(want, strings.Split(strings.TrimSuffix(log, "\n"), "\n")...)
	}
	slices.Sort(want)
	sinks{r.table, r.archive, r.columns}.holds(t, what, want)
	if left := r.fs.Names(); !slices.Equal(left, []string{"/data/checkpoint"}) {
		t.Fatalf("%s: files left: %v", what, left)
	}
}

// failingRig is a rig whose disk fails for some operations while a log is sent.
type failingRig struct {
	*rig
	stream *checkpoint.Stream
	log    string
	sent   int // how many bytes of the log are on the disk

	mu          sync.Mutex
	count       int // operations so far
	first, last int // the operations that fail
	failed      int
}

func newFailingRig(t testing.TB, lines int) *failingRig {
	p := &failingRig{rig: newRig(t, nil), log: collectortest.Log(lines), first: -1, last: -1}
	p.stream = p.rig.stream(t, "web01", p.log, 2)
	fail := func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.count++; p.count > p.first && p.count <= p.last {
			p.failed++
			return crashfs.ErrInjected
		}
		return nil
	}
	p.fs.Fail = func(crashfs.Op) error { return fail() }
	return p
}

// check sends the rest of the log and closes the collector. Each sink must have every line.
func (p *failingRig) check(t testing.TB) {
	if err := p.sendTo(t.Context(), len(p.log), 900); err != nil {
		t.Fatal(err)
	}
	if err := p.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := p.collector.State().Retries; len(left) > 0 {
		t.Errorf("retries left: %v", left)
	}
	// An empty file that could be neither used nor removed is left for the next process.
	p.fs.Fail = nil
	next, err := New(t.Context(), p.collector.cfg)
	if err != nil {
		t.Fatalf("the next start: %v", err)
	}
	if err := next.Close(t.Context()); err != nil {
		t.Fatalf("the next start: %v", err)
	}
	p.holds(t, "at the end", p.log)
}

// sendTo sends the log up to a position, in batches of so many bytes.
func (p *failingRig) sendTo(ctx context.Context, to, bytes int) error {
	for p.sent < min(to, len(p.log)) {
		sent, err := p.sendOne(ctx, p.stream, p.log, p.sent, bytes)
		if err != nil {
			return err
		}
		p.sent = sent
	}
	return nil
}

// TestADiskThatRecoversLosesNothing makes three consecutive operations fail, at every
// position, and checks that the same collector continues.
func TestADiskThatRecoversLosesNothing(t *testing.T) {
	var p *failingRig
	m := replay.Machine[*failingRig]{
		Start: func(t testing.TB) *failingRig { p = newFailingRig(t, 60); return p },
		Ops: map[string]func(testing.TB, *failingRig, replay.Args){
			"fail N COUNT": func(t testing.TB, p *failingRig, a replay.Args) {
				count, err := strconv.Atoi(a[1])
				if err != nil {
					t.Fatal(err)
				}
				p.mu.Lock()
				defer p.mu.Unlock()
				p.first, p.last = p.count+a.Int(0), p.count+a.Int(0)+count
			},
			"send N": func(t testing.TB, p *failingRig, a replay.Args) {
				if err := p.sendTo(t.Context(), p.sent+1, a.Int(0)); err != nil {
					t.Fatal(err)
				}
			},
		},
		End: func(t testing.TB, p *failingRig) { p.check(t) }, Bubble: true, Attempts: 300,
	}
	m.Each(t, *replayFile, func(yield func(replay.Script) bool) {
		for from, more := 0, true; more; from++ {
			random := rand.New(rand.NewPCG(1, uint64(from)))
			s := replay.Script{replay.NewOp("fail", from, 3)}
			for bytes := 0; bytes < len(collectortest.Log(60)); {
				size := 1 + random.IntN(900)
				s = append(s, replay.NewOp("send", size))
				bytes += size
			}
			if !yield(s) {
				return
			}
			if more = p.failed > 0; !more {
				t.Logf("%d operations", from)
			}
		}
	})
}

// TestASlowTableDelaysNoSender checks that with SpoolAhead batches do not wait for a table that
// hangs, and that their rows are read from the segments later.
func TestASlowTableDelaysNoSender(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SpoolAhead, c.RollBytes = true, 1<<20 })
	log := collectortest.Log(200_000)
	s := r.stream(t, "web01", log, 2)
	release := r.table.Hang()
	if err := r.send(t.Context(), s, log, rand.New(rand.NewPCG(1, 1))); err != nil {
		t.Fatal(err)
	}
	if lag := r.collector.State().UntabledBytes; lag < int64(len(log))/2 {
		t.Errorf("%d of %d bytes wait for a table that takes none", lag, len(log))
	}
	release()
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.holds(t, "the table was slow", log)
}

// TestAFullSpoolAnswersBusy checks that a full spool rejects batches with ErrBusy, and that all
// lines are stored when the archive is available again.
func TestAFullSpoolAnswersBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.SpoolMaxBytes = 4000 })
		log := collectortest.Log(2000)
		s := r.stream(t, "web01", log, 2)
		down := errors.New("the archive is away")
		var mu sync.Mutex
		r.archive.Fail = func() error { mu.Lock(); defer mu.Unlock(); return down }
		var sending errgroup.Group
		sending.Go(func() error { return r.send(t.Context(), s, log, rand.New(rand.NewPCG(1, 1))) })
		synctest.Wait()
		state := r.collector.State()
		if state.SpoolBytes < 4000 || state.SpoolBytes > 8000 || len(state.Retries) == 0 || !strings.Contains(state.Retries[0].Error, down.Error()) {
			t.Errorf("%+v: want a full spool, and why", state)
		}
		data := []byte("bad line\n")
		err := r.collector.Append(t.Context(), s, schema.Batch{Stream: &s.Stream, Range: schema.Range{Start: 1 << 30, End: 1<<30 + 9}, Data: data, Lines: 1})
		if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "--spool-max") {
			t.Errorf("append to a full spool: %v", err)
		}
		mu.Lock()
		down = nil
		mu.Unlock()
		if err := sending.Wait(); err != nil {
			t.Fatal(err)
		}
		if err := r.collector.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.holds(t, "the archive was away", log)
	})
}

// TestManySendersShareACollector checks twenty hosts that send at the same time; each host's lines
// are archived in its own files.
func TestManySendersShareACollector(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SpoolAhead, c.RollBytes, c.Uploads = true, 10_000, 3 })
	var logs []string
	var sending errgroup.Group
	for host := range 20 {
		log := strings.ReplaceAll(collectortest.Log(500), "GET /", fmt.Sprintf("GET /h%d/", host))
		log = strings.ReplaceAll(log, "bad line", fmt.Sprintf("bad line of %d", host))
		logs = append(logs, log)
		s := r.stream(t, fmt.Sprintf("web%02d", host), log, uint64(host))
		sending.Go(func() error { return r.send(t.Context(), s, log, rand.New(rand.NewPCG(1, uint64(host)))) })
	}
	if err := sending.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.holds(t, "twenty hosts", logs...)
	for name, b := range r.archive.Files {
		if host := filepath.Base(filepath.Dir(name)); !strings.HasPrefix(host, "web") || len(b) == 0 {
			t.Errorf("archived %s, %d bytes", name, len(b))
		}
	}
}

// TestWhatASenderClaimsIsStoredElsewhere checks that a collector that knows nothing of a stream
// accepts it from the position that the sender claims.
func TestWhatASenderClaimsIsStoredElsewhere(t *testing.T) {
	r := newRig(t, nil)
	s := r.stream(t, "web01", "bad line\n", 2)
	if got := r.collector.Position(s, 1000); got != (Position{1000, 1000}) {
		t.Fatalf("position %+v, want 1000", got)
	}
	data := []byte("bad new line\n")
	b := schema.Batch{Stream: &s.Stream, Range: schema.Range{Start: 1000, End: 1013}, Data: data, Lines: 1}
	if got := r.collector.Position(s, 0); got != (Position{}) {
		t.Fatalf("another connection got %+v, which only the first one claimed", got)
	}
	if err := r.collector.Receive(t.Context(), s, b, 1000, 1000); err != nil {
		t.Fatal(err)
	}
	if err := r.collector.Sync(t.Context(), s, b.Range); err != nil {
		t.Fatal(err)
	}
	if got := r.collector.Position(s, 1000); got != (Position{1013, 1000}) {
		t.Errorf("position %+v after a batch that is on disk", got)
	}
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.holds(t, "claimed", "bad new line\n")
	if s.Stored != 1013 {
		t.Errorf("stored is %d, want 1013", s.Stored)
	}
}

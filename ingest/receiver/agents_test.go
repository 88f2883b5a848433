package receiver

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/archive"
	"sluice/archive/localdir"
	"sluice/ingest/agent"
	"sluice/ingest/avrorpc"
	"sluice/ingest/checkpoint"
	"sluice/ingest/collector"
	"sluice/ingest/protocol"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/tail"
	"sluice/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counted is a table that only counts rows.
type counted struct{ rows atomic.Int64 }

func (*counted) Layout() schema.Layout { return schema.Layout{Salts: 1} }
func (c *counted) Put(_ context.Context, rows *schema.Rows) error {
	c.rows.Add(int64(rows.Len()))
	return nil
}
func (*counted) Flush(context.Context) error { return nil }

// shut is an archive that fails while closed is true.
type shut struct {
	collector.Archive
	closed *atomic.Bool
}

func (s shut) Store(ctx context.Context, path, name string) error {
	if s.closed.Load() {
		return errors.New("the archive is shut")
	}
	return s.Archive.Store(ctx, path, name)
}

// runningCollector is a collector that runs beside the test.
type runningCollector struct {
	dir, address string
	receiver     *Receiver
	core         *collector.Collector
	shut         atomic.Bool
	clock        atomic.Pointer[time.Time] // nil: the system's
	cancel       context.CancelFunc
	ended        chan error
}

// collect starts a collector with its state in dir and its archive in dir/archive.
func collect(t testing.TB, dir, address string, spoolMaxBytes int64, options ...func(*Config)) *runningCollector {
	t.Helper()
	c := &runningCollector{dir: dir, ended: make(chan error, 1)}
	log := slog.New(slog.DiscardHandler)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(dir, 0o700))
	file, err := checkpoint.Open(vfs.OS{}, filepath.Join(dir, "checkpoint"), fmt.Sprint(time.Now().UnixNano()))
	must(err)
	store, err := localdir.Open(filepath.Join(dir, "archive"), file.Collector())
	must(err)
	pattern, err := archive.ParsePattern(filepath.Join(dir, "archive") + "/%Y%m%d/%{host}")
	must(err)
	c.core, err = collector.New(t.Context(), collector.Config{
		FS: vfs.OS{}, SpoolDir: filepath.Join(dir, "spool"), Checkpoint: file, Table: new(counted), Archive: shut{store, &c.shut}, Naming: pattern,
		RollBytes: 16 << 10, SpoolMaxBytes: spoolMaxBytes, Level: 1, RetryFailures: true, SpoolAhead: true, HostShare: 3, DeclareFound: true, Log: log,
	})
	must(err)
	cfg := Config{Checkpoint: file, Collector: c.core, FlumeFormat: "common", FlumeWait: time.Second, Log: log, Now: c.now}
	for _, option := range options {
		option(&cfg)
	}
	c.receiver, err = New(cfg)
	must(err)
	listener, err := net.Listen("tcp", address)
	must(err)
	c.address = listener.Addr().String()
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(context.Background())
	limits := Limits(1<<16, 0, 0)
	limits.Drain = 100 * time.Millisecond
	go func() {
		c.ended <- (&avrorpc.Server{Services: append(c.receiver.Services(), c.receiver.FlumeService()), Limits: limits}).Serve(ctx, listener)
	}()
	return c
}

func (c *runningCollector) now() time.Time {
	if at := c.clock.Load(); at != nil {
		return *at
	}
	return time.Now()
}

// pass sets the collector's clock forward by d; from then on it stands still.
func (c *runningCollector) pass(d time.Duration) {
	at := c.now().Add(d)
	c.clock.Store(&at)
}

// end stops the collector. With kill, what is not stored stays in the spool.
func (c *runningCollector) end(t testing.TB, kill bool) {
	t.Helper()
	c.cancel()
	err := <-c.ended
	if kill {
		err = errors.Join(err, c.core.Abort())
	} else {
		err = errors.Join(err, c.core.Close(context.Background()))
	}
	c.receiver.Close()
	if err != nil {
		t.Fatal(err)
	}
}

// holds fails unless the archive has exactly these lines, each once.
func (c *runningCollector) holds(t testing.TB, want string) {
	t.Helper()
	var got bytes.Buffer
	err := filepath.WalkDir(filepath.Join(c.dir, "archive"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".gz") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			return err
		}
		_, err = io.Copy(&got, r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(sorted(got.String()), sorted(want)) {
		t.Errorf("%s holds %d lines, want %d", c.dir, strings.Count(got.String(), "\n"), strings.Count(want, "\n"))
	}
}

func sorted(text string) []string { return slices.Sorted(strings.Lines(text)) }

// sender is an agent that runs beside the test.
type sender struct {
	*agent.Agent
	file   *checkpoint.File
	cancel context.CancelFunc
	ended  chan error
}

// follow starts an agent of host web01 whose logs and state are in dir.
func follow(t *testing.T, dir string, collectors ...string) *sender {
	t.Helper()
	return followAs(t, dir, false, collectors)
}

// followAs is follow with a choice of the protocol (flume) and of the logs' sources and formats.
func followAs(t *testing.T, dir string, flume bool, collectors []string, sources ...tail.Source) *sender {
	t.Helper()
	file, err := checkpoint.Open(vfs.OS{}, filepath.Join(dir, "checkpoint"), "agent")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	compression := protocol.S2
	if flume {
		compression = protocol.None
	}
	s := &sender{file: file, ended: make(chan error, 1), Agent: agent.New(agent.Config{
		Collectors: collectors, Flume: flume, Checkpoint: file, Name: "test", Compression: compression, WindowBytes: 1 << 20,
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		},
		FailoverAfter: 300 * time.Millisecond, Heartbeat: 20 * time.Millisecond, Drain: 10 * time.Second, Log: log,
		Tail: tail.Config{Sources: append(sources, tail.Source{Pattern: filepath.Join(dir, "*.log"), Format: "common"}), Host: "web01", Latency: 10 * time.Millisecond, Log: log},
	})}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	go func() { s.ended <- s.Run(ctx) }()
	return s
}

func (s *sender) end(t *testing.T) {
	t.Helper()
	s.cancel()
	if err := <-s.ended; err != nil {
		t.Fatal(err)
	}
}

// await polls until so returns true.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(5 * time.Minute); !so(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("timed out waiting for: ", what)
		}
	}
}

// received waits until a collector has so many lines on disk.
func (c *runningCollector) received(t *testing.T, s *sender, lines int64) {
	t.Helper()
	await(t, fmt.Sprint(lines, " lines received"), func() bool {
		return c.core.Counters.Lines.Load() >= lines && s.State().UnacknowledgedBytes == 0
	})
}

// lines returns n log lines, numbered from first.
func lines(first, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET /%d HTTP/1.1\" 200 %d\n", first+i, first+i)
	}
	return b.String()
}

// write appends text to a log in dir.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A collector that lost its disk is sent its lines again from the log, except those that were
// stored.
func TestACollectorThatLostItsDiskIsSentItsLinesAgain(t *testing.T) {
	dir, logs := filepath.Join(t.TempDir(), "c1"), t.TempDir()
	c := collect(t, dir, "127.0.0.1:0", 0)
	first, second, third := lines(0, 3000), lines(3000, 10), lines(3010, 10)
	write(t, logs, "a.log", first)
	s := follow(t, logs, c.address)
	c.received(t, s, 3000)
	write(t, logs, "a.log", second)
	c.received(t, s, 3010)
	var stored int64
	await(t, "the agent knows what is stored", func() bool {
		if err := c.core.Tick(time.Now()); err != nil {
			t.Fatal(err)
		}
		return s.file.Stored(s.file.Streams()[0]) > 0
	})
	c.end(t, true)
	await(t, "the agent has heard the last of the collector", func() bool { return !s.State().Connected })
	stored = s.file.Stored(s.file.Streams()[0])
	for _, lost := range []string{"spool", "checkpoint"} {
		if err := os.RemoveAll(filepath.Join(dir, lost)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, logs, "a.log", third)
	c = collect(t, dir, c.address, 0)
	await(t, "all is received again", func() bool {
		return c.core.Counters.Bytes.Load()+stored == int64(len(first+second+third)) && s.State().UnacknowledgedBytes == 0
	})
	s.end(t)
	c.end(t, false)
	c.holds(t, first+second+third)
}

// After a failover the second collector has no lines of the agent, so it is sent all that is not
// stored. Before the agent returns, the second collector stores its lines, also without a tick, and
// the first one is sent only those that follow.
func TestAnAgentFailsOverAndReturns(t *testing.T) {
	root, logs := t.TempDir(), t.TempDir()
	one, two := collect(t, filepath.Join(root, "c1"), "127.0.0.1:0", 0), collect(t, filepath.Join(root, "c2"), "127.0.0.1:0", 0)
	write(t, logs, "a.log", lines(0, 10))
	s := follow(t, logs, one.address, two.address)
	if agent.Preference("web01", []string{one.address, two.address})[0] == two.address { // it depends on the ports
		one, two = two, one
	}
	await(t, "connected to the first choice", func() bool { return s.State().Connected && s.State().Collector == one.address })
	one.received(t, s, 10)
	one.end(t, true)
	write(t, logs, "a.log", lines(10, 10))
	two.received(t, s, 20)
	first := collect(t, one.dir, one.address, 0)
	await(t, "home", func() bool { return s.State().Connected && s.State().Collector == first.address })
	write(t, logs, "a.log", lines(20, 10))
	await(t, "the rest", func() bool { return first.core.Counters.Lines.Load() >= 10 && s.State().UnacknowledgedBytes == 0 })
	s.end(t)
	first.end(t, false)
	two.end(t, false)
	first.holds(t, lines(0, 10)+lines(20, 10))
	two.holds(t, lines(0, 20))
}

// With a full spool reading waits, the agent reports it, and nothing is lost when there is space
// again.
func TestAFullSpoolStopsReading(t *testing.T) {
	dir, logs := filepath.Join(t.TempDir(), "c1"), t.TempDir()
	c := collect(t, dir, "127.0.0.1:0", 4<<10)
	c.shut.Store(true)
	for i := range 20 {
		write(t, logs, fmt.Sprintf("%d.log", i), lines(i*1000, 1000))
	}
	s := follow(t, logs, c.address)
	await(t, "busy, with the reason", func() bool { return strings.Contains(s.State().Busy, "--spool-max") })
	c.shut.Store(false)
	c.received(t, s, 20_000)
	s.end(t)
	c.end(t, false)
	c.holds(t, lines(0, 20_000))
}

// A rejected log does not delay others, and its lines stay in the log.
func TestARejectedLogDoesNotDelayOthers(t *testing.T) {
	dir, logs := filepath.Join(t.TempDir(), "c1"), t.TempDir()
	c := collect(t, dir, "127.0.0.1:0", 0)
	write(t, logs, "a.log", lines(0, 10))
	s := follow(t, logs, c.address)
	c.received(t, s, 10)
	s.end(t)
	stream := s.file.Streams()[0]
	labelled := tail.Source{Pattern: filepath.Join(logs, "a.log"), Format: "common", Labels: map[string]string{"site": strings.Repeat("x", checkpoint.MaxLabelBytes)}}
	write(t, logs, "a.log", lines(10, 10))
	write(t, logs, "b.log", lines(20, 10))
	s = followAs(t, logs, false, []string{c.address}, labelled)
	await(t, "refused", func() bool { return len(s.State().Refused) == 1 })
	if h := s.Heartbeat(); len(h.Problems) != 1 || !strings.Contains(h.Problems[0], "rejected stream "+stream.ID.String()+": ") {
		t.Errorf("the rejected log is not in the heartbeat: %q", h.Problems)
	}
	c.received(t, s, 20)
	s.end(t)
	if why := s.State().Refused[stream.ID.String()]; !strings.Contains(why, "labels") {
		t.Error(why)
	}
	if stored := s.file.Stored(s.file.Stream(stream.ID)); stored > int64(len(lines(0, 10))) {
		t.Errorf("%d bytes are reported as stored", stored)
	}
	c.end(t, false)
}

package receiver

import (
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/schema"
	"sluice/test/replay"
)

// replayFile is a script of one of this package's tests of random operations.
var replayFile = flag.String("replay", "", "run the script in this file instead of random ones")

// model is a model test: what two hosts do to a collector, and what the collector must do. web01 is
// honest. evil is not: it sends anything about any stream. The scripts call web01's stream 7. Its id
// is proved by a seed, which the hostile senders have copied.
//
// The twin is the hostile host without TLS, so that it can use web01's name. It may claim anything,
// and appends far beyond what web01 has written, or to other streams: a sender that writes at
// web01's own position makes web01's log another stream (row 5 of test/attack).
//
// Whatever they do, web01's lines are stored once each, its positions are those that it sent, and
// evil has no more than its share of the spool.
type model struct {
	t           testing.TB
	c           *runningCollector // nil: not running
	wires       map[string]*wire
	namedStream map[string]bool // streams that a connection of evil or twin named
	sent        int             // lines of web01 that were acknowledged
	forged      int             // lines of evil
	hole        bool            // evil sent a batch after a gap since the collector started
}

// twinStart is beyond all that web01 writes.
const twinStart = 1 << 30

// honestNumber is web01's stream in scripts.
const honestNumber = 7

// honestSeed is the seed of web01's stream.
func honestSeed() schema.StreamSeed { return schema.NewStreamSeed(1, 2, []byte(lines(0, 1))) }

func honestStream() schema.StreamID { return honestSeed().ID("web01") }

// proved returns a stream for a hello, with the seed of web01's stream if it has that id.
func proved(id schema.StreamID, stored int64) protocol.Stream {
	x := named(id, stored)
	if seed := honestSeed(); id == honestStream() {
		x.Seed = seed[:]
	}
	return x
}

// modelSpoolBytes is small, so that evil reaches its share.
const modelSpoolBytes = 24 << 10

// twoHosts is the machine of the model test.
func twoHosts() *replay.Machine[*model] {
	// step runs an operation and checks the invariants.
	step := func(do func(m *model, a replay.Args)) func(testing.TB, *model, replay.Args) {
		return func(_ testing.TB, m *model, a replay.Args) { do(m, a); m.check() }
	}
	return &replay.Machine[*model]{
		Random: randomActs, Start: newModel, End: func(_ testing.TB, m *model) { m.end() }, Attempts: 100,
		Ops: map[string]func(testing.TB, *model, replay.Args){
			"hello":    step(func(m *model, _ replay.Args) { m.honest() }),
			"append N": step(func(m *model, a replay.Args) { m.deliver(a.Int(0)) }),
			"beat WHO": step(func(m *model, a replay.Args) { m.beat(a[0]) }),
			"drop WHO": step(func(m *model, a replay.Args) { m.drop(a[0]) }),
			"claim WHO STREAM POSITION": step(func(m *model, a replay.Args) {
				if id, at, ok := m.streamAt(a); ok {
					m.claim(a[0], id, at)
				}
			}),
			"forge WHO STREAM START N": step(func(m *model, a replay.Args) {
				id, at, ok := m.streamAt(a)
				if n := a.Int(3); ok && at < schema.MaxOffset/2 && n > 0 && n <= 200 && (a[0] == "evil" || id != honestStream() || at >= twinStart) {
					m.forge(a[0], id, at, n)
				}
			}),
			"archive-shut": step(func(m *model, _ replay.Args) { m.c.shut.Store(true) }),
			"archive-open": step(func(m *model, _ replay.Args) { m.c.shut.Store(false) }),
			// The collector is killed and started again.
			"restart": step(func(m *model, _ replay.Args) { m.restart() }),
		},
	}
}

// streamAt returns the stream and the position of an operation of a hostile host; ok is false if
// they are not valid. The position "next" is that of web01's next line. They may be larger than an
// int.
func (m *model) streamAt(a replay.Args) (id schema.StreamID, at int64, ok bool) {
	n, err := strconv.ParseInt(a[1], 10, 64)
	at, err2 := m.position(), error(nil)
	if a[2] != "next" {
		at, err2 = strconv.ParseInt(a[2], 10, 64)
	}
	if id = schema.StreamID(n); n == honestNumber {
		id = honestStream()
	}
	return id, at, err == nil && err2 == nil && at >= 0 && at <= schema.MaxOffset && names[a[0]] != ""
}

func newModel(t testing.TB) *model {
	m := &model{t: t, wires: map[string]*wire{}, namedStream: map[string]bool{}}
	m.start(filepath.Join(t.TempDir(), "c1"))
	t.Cleanup(func() {
		if m.c != nil { // the script failed
			m.c.end(t, true)
		}
	})
	return m
}

func (m *model) start(dir string) {
	m.c = collect(m.t, dir, "127.0.0.1:0", modelSpoolBytes)
	m.c.receiver.cfg.Checkpoint.Declared.SetQuota(checkpoint.Quota{HostStreams: 50})
}

// stop ends the collector.
func (m *model) stop(kill bool) {
	c := m.c
	m.c = nil
	c.end(m.t, kill)
}

func (m *model) beat(who string) {
	if w := m.wires[who]; w != nil {
		if _, err := w.beat(protocol.Heartbeat{Problems: []string{"none"}}); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m *model) drop(who string) {
	if w := m.wires[who]; w != nil {
		w.close()
		delete(m.wires, who)
	}
	maps.DeleteFunc(m.namedStream, func(stream string, _ bool) bool { return strings.HasPrefix(stream, who) })
}

func (m *model) wire(who string) *wire {
	if m.wires[who] == nil {
		m.wires[who] = dial(m.t, m.c.address)
	}
	return m.wires[who]
}

func (m *model) restart() {
	for _, who := range []string{"honest", "evil", "twin"} {
		m.drop(who)
	}
	shut, dir := m.c.shut.Load(), m.c.dir
	m.stop(true)
	m.start(dir)
	m.c.shut.Store(shut)
	m.hole = false
}

// honest sends a hello, and checks that the reply has the position of what it sent.
func (m *model) honest() {
	p := m.wire("honest").hello("web01", proved(honestStream(), 0)).Positions
	if len(p) != 1 || p[0].Received != m.position() || p[0].Stored > p[0].Received {
		m.t.Fatalf("web01 sent up to byte %d, got position %+v", m.position(), p)
	}
}

func (m *model) position() int64 { return int64(len(lines(0, m.sent))) }

// deliver sends lines of web01. Only a full spool may delay them, and no other sender can fill it.
func (m *model) deliver(n int) {
	if n <= 0 || n > 200 {
		return
	}
	if m.wires["honest"] == nil {
		m.honest()
	}
	data := lines(m.sent, n)
	r := m.wires["honest"].append(honestStream(), m.position(), data)
	switch {
	case r.Status == protocol.OK && r.Received == m.position()+int64(len(data)):
		m.sent += n
	case r.Status == protocol.Busy && strings.Contains(r.Reason, "for host web01") && m.share("web01") >= m.share("evil")/2:
	default:
		m.t.Fatalf("%d lines of web01 at %d: %+v; evil has %d bytes of the spool", n, m.position(), r, m.share("evil"))
	}
}

func (m *model) share(host string) int64 { return m.c.core.State().Shares[host].Bytes }

// names are the host names that the senders use.
var names = map[string]string{"evil": "evil", "twin": "web01"}

func (m *model) claim(who string, id schema.StreamID, claim int64) {
	w := m.wire(who)
	if _, err := w.tryHello(names[who], proved(id, claim)); err == nil {
		m.namedStream[who+id.String()] = true
	}
}

func (m *model) forge(who string, id schema.StreamID, at int64, n int) {
	if !m.namedStream[who+id.String()] {
		m.claim(who, id, 0)
	}
	text := strings.ReplaceAll(lines(900_000+m.forged, n), "GET /", "GET /evil")
	r := m.wire(who).append(id, at, text)
	m.forged += n
	switch {
	case r.Status == protocol.Refused && strings.Contains(r.Reason, "never sent"):
		m.hole = m.hole || who == "evil"
	case r.Status == protocol.OK && r.Received < at+int64(len(text)) || r.Stored > r.Received:
		m.t.Fatalf("%s at %d: %+v", who, at, r)
	}
}

// check checks the invariants.
func (m *model) check() {
	free := max(0, modelSpoolBytes-m.c.core.State().SpoolBytes)
	if x := m.share("evil"); x > modelSpoolBytes*3/4+20_000 {
		m.t.Fatalf("evil has %d bytes of the spool, %d are free", x, free)
	}
	if m.hole && m.c.known("evil").fault("batch") == "" {
		m.t.Fatalf("evil is not named")
	}
}

// archived returns the lines of a host in the archive of the collector in dir, sorted.
func archived(t testing.TB, dir, host string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "archive"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".gz") || filepath.Base(filepath.Dir(path)) != host {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(z)
		all = append(all, slices.Collect(strings.Lines(string(b)))...)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(all))
}

// end stops the collector and checks what it stored.
func (m *model) end() {
	m.drop("honest")
	m.drop("evil")
	m.drop("twin")
	m.c.shut.Store(false)
	dir := m.c.dir
	m.stop(false)
	got := slices.DeleteFunc(archived(m.t, dir, "web01"), func(line string) bool { return strings.Contains(line, "GET /evil") }) // without the twin's
	want := sorted(lines(0, m.sent))
	if !slices.Equal(got, want) {
		m.t.Errorf("%d lines of web01 are stored, %d were acknowledged", len(got), len(want))
	}
	for _, line := range archived(m.t, dir, "evil") { // evil may store parts of its own lines, by overlapping ranges
		if _, found := slices.BinarySearch(want, line); found {
			m.t.Fatalf("a line of web01 is stored as evil's: %q", line)
		}
	}
}

// randomActs returns random operations.
func randomActs(random *rand.Rand) (s replay.Script) {
	add := func(verb string, args ...any) { s = append(s, replay.NewOp(verb, args...)) }
	acts, streams := 60, 9
	siege := random.IntN(3) == 0
	if siege { // so that the spool becomes full
		add("archive-shut")
		acts, streams = 150, 40
	}
	ends := map[int]int64{} // where evil's streams can continue
	for range acts {
		id := 1 + random.IntN(streams)
		at := []int64{0, ends[id], 1 << 20, ends[id] / 2, random.Int64N(1 << 40)}[random.IntN(5)]
		if siege && random.IntN(5) > 0 {
			at = ends[id]
		}
		switch random.IntN(13) {
		case 0:
			add("hello")
		case 1, 2, 3:
			add("append", 1+random.IntN(40))
		case 4:
			switch who := []string{"honest", "evil", "twin"}[random.IntN(3)]; random.IntN(8) {
			case 0, 1, 2:
				add("drop", who)
			case 3, 4, 5:
				add("beat", who)
			case 6:
				add("archive-shut")
			default:
				if !siege {
					add("archive-open")
				}
			}
		case 5, 6:
			add("claim", hostile(random), id, at)
		case 7, 8, 9, 10:
			count, who := 1+random.IntN(200), hostile(random)
			if id == honestNumber && who == "twin" {
				at += twinStart
			}
			add("forge", who, id, at, count)
			ends[id] = at + int64(len(strings.ReplaceAll(lines(900_000, count), "GET /", "GET /evil")))
		case 11:
			if random.IntN(3) == 0 {
				add("restart")
			}
		case 12: // evil continues web01's stream
			add("claim", "evil", honestNumber, "next")
			add("forge", "evil", honestNumber, "next", 1+random.IntN(20))
		}
	}
	return s
}

func hostile(random *rand.Rand) string { return []string{"evil", "evil", "twin"}[random.IntN(3)] }

// Random operations of a hostile host do not affect an honest one. Add a script that failed to the
// seeds of FuzzTwoHosts.
func TestAHostileHostDoesNotAffectOthers(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	twoHosts().Test(t, *replayFile, rounds)
}

// evilFills returns operations that fill a spool without limits.
func evilFills() string {
	var b strings.Builder
	for id := range 25 {
		fmt.Fprintf(&b, "forge evil %d 0 200\n", id+1)
	}
	return b.String()
}

// FuzzTwoHosts executes generated operations.
func FuzzTwoHosts(f *testing.F) {
	f.Add("archive-shut\n" + strings.Repeat("forge evil 1 0 200\nclaim evil 2 0\nforge evil 3 0 200\nforge evil 2 0 200\nforge evil 4 0 200\nappend 9\n", 4))
	f.Add("archive-shut\n" + evilFills() + "append 200\nrestart\nappend 200\n")
	f.Add("append 5\nclaim evil 7 0\nforge evil 7 0 5\nappend 5\nrestart\nhello\n")
	f.Add("forge evil 7 1048576 100\nclaim evil 7 140737488355328\nforge evil 7 140000000000000 3\nappend 5\nbeat evil\n")
	f.Add("forge evil 1 0 100\nforge evil 2 0 200\nrestart\nforge evil 1 0 100\nappend 200\nbeat honest\n")
	f.Add("append 5\nclaim twin 7 140737488355328\nforge twin 7 140000000000000 3\nappend 5\nforge twin 3 0 9\nrestart\nhello\nappend 5\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "\n") > 30 {
			t.Skip()
		}
		twoHosts().Text(t, text)
	})
}

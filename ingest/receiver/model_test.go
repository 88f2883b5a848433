package receiver

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/schema"
)

// model is a model test: what two hosts do to a collector, one operation a line, and what the
// collector must do. web01 is honest. evil is not: it sends anything about any stream. The id of
// web01's stream is 7.
//
//	honest hello | honest append LINES | honest drop | honest beat
//	evil hello ID CLAIM | evil append ID START LINES | evil drop | evil beat
//	twin hello ID CLAIM | twin append ID START LINES | twin drop | twin beat
//	archive shut | archive open
//	restart                     the collector is killed and started again
//
// The twin is the hostile host without TLS, so that it can use web01's name. It may claim anything,
// and appends far beyond what web01 has written, or to other streams: a sender that writes at
// web01's own position makes web01's log another stream (row 5 of test/attack).
//
// Whatever they do, web01's lines are stored once each, its positions are those that it sent, and
// evil has no more than its share of the spool.
type model struct {
	t      *testing.T
	c      *runningCollector
	wires  map[string]*wire
	said   map[string]bool // streams that a connection of evil or twin named
	sent   int             // lines of web01 that were acknowledged
	forged int             // lines of evil
	hole   bool            // evil sent a batch after a gap since the collector started
}

// twinStart is beyond all that web01 writes.
const twinStart = 1 << 30

// modelSpoolBytes is small, so that evil reaches its share.
const modelSpoolBytes = 24 << 10

// run executes the operations of a text. It returns false if the text is not valid.
func (m *model) run(text string) bool {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if !m.step(words) {
			return false
		}
		m.check(line)
	}
	return true
}

func (m *model) step(words []string) bool {
	var id, at, n int64
	switch verb := strings.Join(words[:min(2, len(words))], " "); {
	case verb == "restart":
		m.restart()
	case verb == "archive shut" || verb == "archive open":
		m.c.shut.Store(words[1] == "shut")
	case verb == "honest drop" || verb == "evil drop" || verb == "twin drop":
		m.drop(words[0])
	case verb == "honest beat" || verb == "evil beat" || verb == "twin beat":
		if w := m.wires[words[0]]; w != nil {
			if _, err := w.beat(protocol.Heartbeat{Troubles: []string{"none"}}); err != nil {
				m.t.Fatal(err)
			}
		}
	case verb == "honest hello":
		m.honest()
	case scan(words, "honest append %d", &n) && n > 0 && n <= 200:
		m.deliver(int(n))
	case scan(words, "evil hello %d %d", &id, &at) && at >= 0 && at <= schema.MaxOffset:
		m.evilHello("evil", schema.StreamID(id), at)
	case scan(words, "twin hello %d %d", &id, &at) && at >= 0 && at <= schema.MaxOffset:
		m.evilHello("twin", schema.StreamID(id), at)
	case scan(words, "twin append %d %d %d", &id, &at, &n) && at >= 0 && at < schema.MaxOffset/2 && n > 0 && n <= 200 && (id != 7 || at >= twinStart):
		m.evilAppend("twin", schema.StreamID(id), at, int(n))
	case scan(words, "evil append %d %d %d", &id, &at, &n) && at >= 0 && at < schema.MaxOffset/2 && n > 0 && n <= 200:
		m.evilAppend("evil", schema.StreamID(id), at, int(n))
	default:
		return false
	}
	return true
}

func scan(words []string, format string, values ...any) bool {
	n, err := fmt.Sscanf(strings.Join(words, " "), format, values...)
	return err == nil && n == len(values)
}

func (m *model) drop(who string) {
	if w := m.wires[who]; w != nil {
		w.close()
		delete(m.wires, who)
	}
	maps.DeleteFunc(m.said, func(stream string, _ bool) bool { return strings.HasPrefix(stream, who) })
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
	m.c.end(m.t, true)
	shut := m.c.shut.Load()
	m.c = collect(m.t, m.c.dir, "127.0.0.1:0", modelSpoolBytes)
	m.c.shut.Store(shut)
	m.hole = false
}

// honest sends a hello, and checks that the reply has the position of what it sent.
func (m *model) honest() {
	p := m.wire("honest").hello("web01", named(7, 0)).Positions
	if len(p) != 1 || p[0].Received != m.position() || p[0].Stored > p[0].Received {
		m.t.Fatalf("web01 sent up to byte %d and is told %+v", m.position(), p)
	}
}

func (m *model) position() int64 { return int64(len(lines(0, m.sent))) }

// deliver sends lines of web01. Only a full spool may delay them, and no other sender can fill it.
func (m *model) deliver(n int) {
	if m.wires["honest"] == nil {
		m.honest()
	}
	data := lines(m.sent, n)
	r := m.wires["honest"].append(7, m.position(), data)
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

func (m *model) evilHello(who string, id schema.StreamID, claim int64) {
	w := m.wire(who)
	if _, err := w.tryHello(names[who], named(id, claim)); err == nil {
		m.said[who+id.String()] = true
	}
}

func (m *model) evilAppend(who string, id schema.StreamID, at int64, n int) {
	if !m.said[who+id.String()] {
		m.evilHello(who, id, 0)
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
func (m *model) check(after string) {
	free := max(0, modelSpoolBytes-m.c.core.State().SpoolBytes)
	if x := m.share("evil"); x > modelSpoolBytes*3/4+20_000 {
		m.t.Fatalf("after %q evil has %d bytes of the spool, %d are free", after, x, free)
	}
	if m.hole && m.c.known("evil").fault("batch") == "" {
		m.t.Fatalf("after %q evil is not named", after)
	}
}

// lines returns the lines of a host in the archive.
func (m *model) lines(host string) (all []string) {
	err := filepath.WalkDir(filepath.Join(m.c.dir, "archive"), func(path string, d fs.DirEntry, err error) error {
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
		m.t.Fatal(err)
	}
	return slices.Sorted(slices.Values(all))
}

// play executes a text against a collector and checks what it stored.
func play(t *testing.T, text string) {
	m := &model{t: t, c: collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", modelSpoolBytes), wires: map[string]*wire{}, said: map[string]bool{}}
	m.c.receiver.cfg.Checkpoint.SetQuota(checkpoint.Quota{HostStreams: 50})
	if !m.run(text) {
		t.Log("the text is not one of the model's")
	}
	m.drop("honest")
	m.drop("evil")
	m.drop("twin")
	m.c.shut.Store(false)
	m.c.end(t, false)
	got := slices.DeleteFunc(m.lines("web01"), func(line string) bool { return strings.Contains(line, "GET /evil") }) // without the twin's
	if want := sorted(lines(0, m.sent)); !slices.Equal(got, want) {
		t.Errorf("%d lines of web01 are stored, %d were acknowledged", len(got), len(want))
	}
	for _, line := range m.lines("evil") {
		if !strings.Contains(line, "evil") {
			t.Fatalf("a line of web01 is evil's: %q", line)
		}
	}
}

// acts returns n random operations.
func acts(seed uint64, n int) string {
	random := rand.New(rand.NewPCG(seed, 0))
	var b strings.Builder
	ends := map[int]int64{} // where evil's streams can continue
	for range n {
		id := 1 + random.IntN(9)
		at := []int64{0, ends[id], 1 << 20, ends[id] / 2, random.Int64N(1 << 40)}[random.IntN(5)]
		switch random.IntN(12) {
		case 0:
			fmt.Fprintln(&b, "honest hello")
		case 1, 2, 3:
			fmt.Fprintf(&b, "honest append %d\n", 1+random.IntN(40))
		case 4:
			fmt.Fprintln(&b, []string{"honest drop", "evil drop", "twin drop", "honest beat", "evil beat", "twin beat", "archive shut", "archive open"}[random.IntN(8)])
		case 5, 6:
			fmt.Fprintf(&b, "%s hello %d %d\n", hostile(random), id, at)
		case 7, 8, 9, 10:
			count, who := 1+random.IntN(100), hostile(random)
			if id == 7 && who == "twin" {
				at += twinStart
			}
			fmt.Fprintf(&b, "%s append %d %d %d\n", who, id, at, count)
			ends[id] = at + int64(len(strings.ReplaceAll(lines(900_000, count), "GET /", "GET /evil")))
		case 11:
			if random.IntN(3) == 0 {
				fmt.Fprintln(&b, "restart")
			}
		}
	}
	return b.String()
}

func hostile(random *rand.Rand) string { return []string{"evil", "evil", "twin"}[random.IntN(3)] }

// Random operations of a hostile host do not affect an honest one. Add a text that failed to the
// seeds of FuzzTwoHosts.
func TestAHostileHostDoesNotAffectOthers(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	for range rounds {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			text := acts(seed, 60)
			defer func() {
				if t.Failed() {
					t.Log("\n" + text)
				}
			}()
			play(t, text)
		})
	}
}

// evilFills returns operations that fill a spool without limits.
func evilFills() string {
	var b strings.Builder
	for id := range 25 {
		fmt.Fprintf(&b, "evil append %d 0 200\n", id+1)
	}
	return b.String()
}

// FuzzTwoHosts executes generated operations.
func FuzzTwoHosts(f *testing.F) {
	f.Add("archive shut\n" + strings.Repeat("evil append 1 0 200\nevil hello 2 0\nevil append 3 0 200\nevil append 2 0 200\nevil append 4 0 200\nhonest append 9\n", 4))
	f.Add("archive shut\n" + evilFills() + "honest append 200\nrestart\nhonest append 200\n")
	f.Add("honest append 5\nevil hello 7 0\nevil append 7 0 5\nhonest append 5\nrestart\nhonest hello\n")
	f.Add("evil append 7 1048576 100\nevil hello 7 140737488355328\nevil append 7 140000000000000 3\nhonest append 5\nevil beat\n")
	f.Add("evil append 1 0 100\nevil append 2 0 200\nrestart\nevil append 1 0 100\nhonest append 200\nhonest beat\n")
	f.Add("honest append 5\ntwin hello 7 140737488355328\ntwin append 7 140000000000000 3\nhonest append 5\ntwin append 3 0 9\nrestart\nhonest hello\nhonest append 5\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "\n") > 30 {
			t.Skip()
		}
		play(t, text)
	})
}

package receiver

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/ingest/avrorpc"
	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/schema"
)

// wire is a sender that a test controls.
type wire struct {
	t      testing.TB
	client *avrorpc.Client
	codec  *protocol.Codec
}

func dial(t testing.TB, address string) *wire {
	t.Helper()
	return dialFrom(t, "", address)
}

// dialFrom connects from a local address; "": any.
func dialFrom(t testing.TB, from, address string) *wire {
	t.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	client, err := avrorpc.NewClient(t.Context(), conn, protocol.New(), avrorpc.ClientOptions{ReplyBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	codec, err := protocol.NewCodec(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t, client, codec}
	t.Cleanup(func() { codec.Close(); w.close() })
	return w
}

func (w *wire) close() { _ = w.client.Close() } // always nil

func (w *wire) tryHello(host string, streams ...protocol.Stream) (protocol.Welcome, error) {
	hello := protocol.Hello{Host: host, Agent: "test", Streams: streams}
	reply, err := w.client.Call(w.t.Context(), protocol.MessageHello, hello.Append(nil), nil, nil)
	var welcome protocol.Welcome
	if err == nil {
		err = welcome.Decode(reply)
	}
	return welcome, err
}

func (w *wire) hello(host string, streams ...protocol.Stream) protocol.Welcome {
	w.t.Helper()
	welcome, err := w.tryHello(host, streams...)
	if err != nil {
		w.t.Fatal(err)
	}
	return welcome
}

func named(id schema.StreamID, stored int64) protocol.Stream {
	return protocol.Stream{ID: id, Path: fmt.Sprintf("/%d.log", id), Format: "common", Stored: stored}
}

func (w *wire) append(id schema.StreamID, start int64, data string) protocol.Receipt {
	w.t.Helper()
	m := protocol.Batch{Stream: id, Range: schema.Range{Start: start, End: start + int64(len(data))}, Lines: strings.Count(data, "\n")}
	w.codec.Encode(&m, []byte(data), nil)
	reply, err := w.client.Call(w.t.Context(), protocol.MessageAppend, m.AppendHead(nil), m.Body, nil)
	var r protocol.Receipt
	if err == nil {
		err = r.Decode(reply)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *wire) beat(b protocol.Heartbeat) (protocol.Directive, error) {
	reply, err := w.client.Call(w.t.Context(), protocol.MessageStatus, b.Append(nil), nil, nil)
	var d protocol.Directive
	if err == nil {
		err = d.Decode(reply)
	}
	return d, err
}

// known returns the collector's state of a host.
func (c *runningCollector) known(name string) (h Host) {
	for _, h := range c.receiver.Hosts() {
		if h.Name == name {
			return h
		}
	}
	return h
}

func (h Host) fault(kind string) string {
	for _, f := range h.Faults {
		if f.Kind == kind {
			return f.Text
		}
	}
	return ""
}

// A batch after a gap is reported for its host at once, and leaves nothing in the spool.
func TestAGapIsReportedForItsHostAtOnce(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	defer c.end(t, false)
	w := dial(t, c.address)
	w.hello("evil", named(7, 0))
	for range 3 {
		if r := w.append(7, 1<<20, lines(0, 100)); r.Status != protocol.Refused || !strings.Contains(r.Reason, "never sent") || r.Received != 0 {
			t.Errorf("a hole: %+v", r)
		}
	}
	if s := c.core.State(); s.SpoolBytes != 0 {
		t.Errorf("%d bytes are in the spool", s.SpoolBytes)
	}
	if why := c.known("evil").fault("batch"); !strings.Contains(why, "/7.log") || !strings.Contains(why, "never sent") {
		t.Errorf("the host is not named: %q", why)
	}
}

// A sender cannot move another's position, neither by a claim under the same host name, which is
// possible without TLS, nor as another host that names the stream.
func TestASenderCannotMoveAnothersPosition(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	honest, evil := dial(t, c.address), dial(t, c.address)
	evil.hello("evil", named(7, 0)) // first
	if r := evil.append(7, 0, lines(5000, 20)); r.Status != protocol.OK {
		t.Errorf("its own stream: %+v", r)
	}
	honest.hello("web01", named(7, 0))
	first, second := lines(0, 10), lines(10, 10)
	if r := honest.append(7, 0, first); r.Status != protocol.OK || r.Received != int64(len(first)) {
		t.Errorf("%+v", r)
	}
	as := dial(t, c.address)
	as.hello("web01", named(7, 1<<47))
	r := honest.append(7, int64(len(first)), second)
	if r.Status != protocol.OK || r.Received != int64(len(first+second)) || r.Stored > r.Received {
		t.Errorf("after another claimed more: %+v", r)
	}
	again := dial(t, c.address)
	if p := again.hello("web01", named(7, 0)).Positions; len(p) != 1 || p[0].Received != int64(len(first+second)) || p[0].Stored > p[0].Received {
		t.Errorf("a new connection got %+v", p)
	}
	for _, w := range []*wire{honest, evil, as, again} {
		w.close()
	}
	c.end(t, false)
	c.holds(t, lines(5000, 20)+first+second)
}

// A welcome has the fingerprint of what was received, and a batch with other lines is rejected.
func TestAWelcomeHasTheFingerprintOfReceivedBytes(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	defer c.end(t, false)
	w := dial(t, c.address)
	if tails := w.hello("web01", named(7, 0)).Tails; len(tails) != 0 {
		t.Errorf("of nothing: %+v", tails)
	}
	text := lines(0, 10)
	w.append(7, 0, text)
	tails := w.hello("web01", named(7, 0)).Tails
	if len(tails) != 1 || tails[0].At != int64(len(text)) || tails[0].Length != protocol.MaxTailBytes || tails[0].Hash != checkpoint.TailHash([]byte(text[len(text)-protocol.MaxTailBytes:])) {
		t.Errorf("%+v", tails)
	}
	other := lines(100, 12)
	if r := w.append(7, 0, other[:len(other)/2]+other[len(other)/2:]); r.Status != protocol.Refused || !strings.Contains(r.Reason, "differ from those") {
		t.Errorf("another log: %+v", r)
	}
	if n := c.core.Counters.Lines.Load(); n != 10 {
		t.Errorf("%d lines were received", n)
	}
}

// The streams of a host are limited. Idle streams that are stored are forgotten for new ones, and
// continue where they were when they are named again.
func TestAHostsStreamsAreBounded(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	defer c.end(t, false)
	c.pass(0)
	c.receiver.cfg.Quota = checkpoint.Quota{HostStreams: 20}.WithDefaults()
	c.receiver.cfg.Checkpoint.Declared.SetQuota(c.receiver.cfg.Quota)
	w := dial(t, c.address)
	line := lines(0, 1)
	id := schema.StreamID(0)
	next := func() bool {
		id++
		return len(w.hello("web01", named(id, 0)).Positions) == 1
	}
	for range 20 {
		if !next() {
			t.Fatalf("stream %d is refused", id)
		}
	}
	if next() || !strings.Contains(c.known("web01").fault("streams"), "20 streams") {
		t.Errorf("one more: %+v", c.known("web01").Faults)
	}
	if r := w.append(id, 0, line); r.Status != protocol.Refused {
		t.Errorf("its lines: %+v", r)
	}
	if other := dial(t, c.address); len(other.hello("web02", named(1, 0)).Positions) != 1 {
		t.Error("another host is refused")
	}
	c.pass(2 * idleBefore)
	if r := w.append(3, 0, line); r.Status != protocol.OK { // this one is not idle
		t.Errorf("%+v", r)
	}
	if !next() || c.receiver.cfg.Checkpoint.Declared.Usage("web01") > 20 {
		t.Errorf("no idle stream was forgotten: %d streams", c.receiver.cfg.Checkpoint.Declared.Usage("web01"))
	}
	if r := w.append(1, 0, line); r.Status != protocol.UnknownStream {
		t.Errorf("one that was forgotten: %+v", r)
	}
	w.hello("web01", named(1, 500))
	if r := w.append(1, 500, line); r.Status != protocol.OK || r.Received != 500+int64(len(line)) {
		t.Errorf("the session should continue, got %+v", r)
	}
	// What its connections hold is limited too, including rejected streams.
	var err error
	for range 100 {
		id++
		if _, err = w.tryHello("web01", named(id, 0)); err != nil {
			break
		}
	}
	if err == nil || c.known("web01").named > 40 {
		t.Errorf("%d streams are named by its connections: %v", c.known("web01").named, err)
	}
}

// What is kept of a heartbeat is limited.
func TestTheStoredPartOfAHeartbeatIsBounded(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	defer c.end(t, false)
	w := dial(t, c.address)
	w.hello("evil")
	b := protocol.Heartbeat{Counters: map[string]int64{protocol.ReadBytes: 5}, Governor: protocol.Governor{Reason: strings.Repeat("r", 5000)}}
	for i := range protocol.MaxCounters - 1 {
		b.Counters[fmt.Sprint("made up ", i)] = 1
	}
	for range protocol.MaxProblems {
		b.Problems = append(b.Problems, strings.Repeat("\xff\u00fc", 2000))
	}
	if _, err := w.beat(b); err != nil {
		t.Fatal(err)
	}
	k := c.known("evil").Beat
	if len(k.Counters) != 1 || k.Counters[protocol.ReadBytes] != 5 || len(k.Problems) != maxProblems+1 || len(k.Governor.Reason) > maxProblemBytes {
		t.Errorf("%d counters, %d problems, a reason of %d bytes are kept", len(k.Counters), len(k.Problems), len(k.Governor.Reason))
	}
	for _, text := range k.Problems {
		if len(text) > maxProblemBytes || strings.ToValidUTF8(text, "") != text {
			t.Errorf("%.20q, %d bytes", text, len(text))
		}
	}
	b.Counters = map[string]int64{strings.Repeat("n", protocol.MaxCounterBytes+1): 1}
	if _, err := w.beat(b); err == nil {
		t.Error("a counter with a long name was accepted")
	}
}

// A host that says with each heartbeat that it leaves does not get an archive file for each batch.
func TestAHostThatLeavesAgainAndAgainMakesFewFiles(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	w := dial(t, c.address)
	w.hello("evil", named(7, 0))
	var sent strings.Builder
	for i := range 30 {
		batch := lines(i, 1)
		w.append(7, int64(sent.Len()), batch)
		sent.WriteString(batch)
		if _, err := w.beat(protocol.Heartbeat{Counters: map[string]int64{protocol.Leaving: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	w.close()
	c.end(t, false)
	c.holds(t, sent.String())
	files, err := filepath.Glob(filepath.Join(c.dir, "archive", "*", "evil", "*.gz"))
	if err != nil || len(files) == 0 || len(files) > 10 { // one for each rollAgain, and one at the end
		t.Errorf("%d files for 30 batches: %v", len(files), err)
	}
}

// A host that looks up too many positions in a second is answered without them until it has waited.
func TestHeartbeatsLookUpABoundedNumberOfPositions(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	var b bucket
	looked := 0
	for range 1000 {
		if b.take(now, 20_000) {
			looked += 20_000
		}
		now = now.Add(10 * time.Millisecond)
	}
	if looked > 11*looksPerSecond || looked < 9*looksPerSecond {
		t.Errorf("%d positions in ten seconds", looked)
	}
	if now = now.Add(time.Second); !b.take(now, 1) {
		t.Error("a host that waited is not answered")
	}
}

// Two agents with one name are reported with their addresses. An agent that connects again after
// its connection broke is not.
func TestTwoAgentsWithOneNameAreReported(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	defer c.end(t, false)
	c.pass(0)
	beat := func(ws ...*wire) {
		t.Helper()
		for _, w := range ws {
			c.pass(time.Second)
			if _, err := w.beat(protocol.Heartbeat{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	one := dial(t, c.address)
	one.hello("web01")
	beat(one, one, one)
	two := dial(t, c.address) // the first connection is half open: the other end is gone
	c.pass(time.Second)
	two.hello("web01")
	beat(one, two, two, two)
	if why := c.known("web01").fault("name"); why != "" {
		t.Errorf("one that came again: %s", why)
	}
	beat(one, two, one, two)
	why := c.known("web01").fault("name")
	for _, w := range []*wire{one, two} {
		if address := w.client.LocalAddr().String(); !strings.Contains(why, address) {
			t.Errorf("%q does not name %s", why, address)
		}
	}
	c.pass(FaultFor)
	if why := c.known("web01").fault("name"); why != "" {
		t.Errorf("the fault should have expired: %s", why)
	}
}

// A sender that uses many host names does not lock others out: names without lines are forgotten
// first.
func TestASenderWithManyNamesDoesNotLockOthersOut(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	defer c.end(t, false)
	c.receiver.note("web01", func(h *Host) { h.Lines = 1 })
	for i := range maxHosts {
		name := fmt.Sprint("made-up-", i)
		if !c.receiver.room(name) {
			t.Fatal(errors.New(name))
		}
		c.receiver.note(name, func(*Host) {})
		c.receiver.cfg.Checkpoint.Expected.Set(name, true)
	}
	if !c.receiver.room("web02") || c.known("web01").Name == "" || len(c.receiver.Hosts()) > maxHosts || len(c.receiver.cfg.Checkpoint.Expected.All()) > maxHosts {
		t.Errorf("%d hosts, %d expected", len(c.receiver.Hosts()), len(c.receiver.cfg.Checkpoint.Expected.All()))
	}
}

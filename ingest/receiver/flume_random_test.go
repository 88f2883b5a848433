package receiver

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/ingest/flume"
	"sluice/test/replay"
)

// flumeModel is two Flume agents, each of which reads one log and sends its lines to a collector. The
// logs have the same path and, until they are rotated, the same lines.
type flumeModel struct {
	c    *runningCollector // nil: not running
	dir  string
	logs map[string]*flumeLog // by host
}

// flumeLog is a log with its Flume agent.
type flumeLog struct {
	host string
	sink *sink

	log     string // since it was rotated last
	written int    // lines of all its files
	all     strings.Builder
	queue   []flume.Event // what Flume has in its channel
}

func newFlumeModel(t testing.TB) *flumeModel {
	m := &flumeModel{dir: filepath.Join(t.TempDir(), "c1"), logs: map[string]*flumeLog{}}
	m.c = collect(t, m.dir, "127.0.0.1:0", 0)
	for _, host := range []string{"web01", "web02"} {
		m.logs[host] = &flumeLog{host: host, sink: m.c.sink(t)}
	}
	t.Cleanup(func() {
		if m.c != nil { // the script failed
			for _, l := range m.logs {
				_ = l.sink.Close() // always nil
			}
			m.c.end(t, true)
		}
	})
	return m
}

// on adapts an operation on the log of a host, which is its first argument.
func on(do func(t testing.TB, m *flumeModel, l *flumeLog, a replay.Args)) func(testing.TB, *flumeModel, replay.Args) {
	return func(t testing.TB, m *flumeModel, a replay.Args) {
		l := m.logs[a[0]]
		if l == nil {
			t.Fatalf("no log of host %s", a[0])
		}
		do(t, m, l, a)
	}
}

// write appends lines to the log, which Flume reads at once.
func (l *flumeLog) write(n int) {
	read := len(l.log)
	text := lines(l.written, n)
	l.written += n
	l.log += text
	l.all.WriteString(text)
	l.queue = append(l.queue, locatedOn(l.host, l.log, read, len(l.log))...)
}

// send sends up to n lines of the channel. Without the reply they stay there, and are sent again.
func (l *flumeLog) send(t testing.TB, n int, replied bool) {
	batch := l.queue[:min(len(l.queue), n)]
	l.sink.deliver(t, batch...)
	if replied {
		l.queue = l.queue[len(batch):]
	}
}

// restart kills the collector and starts it again.
func (m *flumeModel) restart(t testing.TB) {
	for _, l := range m.logs {
		l.sink.close(t)
	}
	c := m.c
	m.c = nil
	c.end(t, true)
	m.c = collect(t, m.dir, "127.0.0.1:0", 0)
	for _, l := range m.logs {
		l.sink = m.c.sink(t)
	}
}

// end sends the rest and checks what is stored of each host.
func (m *flumeModel) end(t testing.TB) {
	for _, l := range m.logs {
		l.send(t, len(l.queue), true)
		l.sink.close(t)
	}
	c := m.c
	m.c = nil
	c.end(t, false)
	for host, l := range m.logs {
		if got, want := archived(t, m.dir, host), sorted(l.all.String()); !slices.Equal(got, want) {
			t.Errorf("%d lines of %s are stored, want %d", len(got), host, len(want))
		}
	}
}

// Flume's lines are stored once when logs are rotated, batches are sent again because a reply was
// lost, and connections and collectors end.
func TestFlumesLinesAreStoredOnceWhateverHappens(t *testing.T) {
	m := replay.Machine[*flumeModel]{
		Random: randomFlume, Start: newFlumeModel, End: func(t testing.TB, m *flumeModel) { m.end(t) }, Attempts: 200,
		Ops: map[string]func(testing.TB, *flumeModel, replay.Args){
			"write HOST N": on(func(_ testing.TB, _ *flumeModel, l *flumeLog, a replay.Args) { l.write(a.Int(1)) }),
			"rotate HOST":  on(func(_ testing.TB, _ *flumeModel, l *flumeLog, _ replay.Args) { l.log = "" }),
			"send HOST N":  on(func(t testing.TB, _ *flumeModel, l *flumeLog, a replay.Args) { l.send(t, a.Int(1), true) }),
			"send-reply-lost HOST N": on(func(t testing.TB, _ *flumeModel, l *flumeLog, a replay.Args) {
				l.send(t, a.Int(1), false)
			}),
			"reconnect HOST": on(func(t testing.TB, m *flumeModel, l *flumeLog, _ replay.Args) { l.sink.close(t); l.sink = m.c.sink(t) }),
			"restart":        func(t testing.TB, m *flumeModel, _ replay.Args) { m.restart(t) },
		},
	}
	m.Test(t, *replayFile, 2)
}

func randomFlume(random *rand.Rand) (s replay.Script) {
	for range 300 {
		host := []string{"web01", "web02"}[random.IntN(2)]
		switch random.IntN(20) {
		case 0:
			s = append(s, replay.NewOp("rotate", host))
		case 1:
			s = append(s, replay.NewOp("reconnect", host))
		case 2:
			s = append(s, replay.NewOp("restart"))
		default:
			s = append(s, replay.NewOp("write", host, 1+random.IntN(8)))
		}
		verb := "send"
		if random.IntN(3) == 0 {
			verb = "send-reply-lost"
		}
		s = append(s, replay.NewOp(verb, host, 1+random.IntN(12)))
	}
	return s
}

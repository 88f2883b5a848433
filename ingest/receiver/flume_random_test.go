package receiver

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"sluice/ingest/flume"
	"sluice/test/replay"
)

// flumeModel is a Flume agent that reads one log and sends its lines to a collector.
type flumeModel struct {
	c    *runningCollector // nil: not running
	sink *sink
	dir  string

	log     string // since it was rotated last
	written int    // lines of all logs
	all     strings.Builder
	queue   []flume.Event // what Flume has in its channel
}

func newFlumeModel(t testing.TB) *flumeModel {
	m := &flumeModel{dir: filepath.Join(t.TempDir(), "c1")}
	m.c = collect(t, m.dir, "127.0.0.1:0", 0)
	m.sink = m.c.sink(t)
	t.Cleanup(func() {
		if m.c != nil { // the script failed
			_ = m.sink.Close() // always nil
			m.c.end(t, true)
		}
	})
	return m
}

// write appends lines to the log, which Flume reads at once.
func (m *flumeModel) write(n int) {
	read := len(m.log)
	text := lines(m.written, n)
	m.written += n
	m.log += text
	m.all.WriteString(text)
	m.queue = append(m.queue, located(m.log, read, len(m.log))...)
}

// send sends up to n lines of the channel. Without the reply they stay there, and are sent again.
func (m *flumeModel) send(t testing.TB, n int, replied bool) {
	batch := m.queue[:min(len(m.queue), n)]
	m.sink.deliver(t, batch...)
	if replied {
		m.queue = m.queue[len(batch):]
	}
}

// restart kills the collector and starts it again.
func (m *flumeModel) restart(t testing.TB) {
	m.sink.close(t)
	address, c := m.c.address, m.c
	m.c = nil
	c.end(t, true)
	m.c = collect(t, m.dir, address, 0)
	m.sink = m.c.sink(t)
}

// end sends the rest and checks what is stored.
func (m *flumeModel) end(t testing.TB) {
	m.send(t, len(m.queue), true)
	m.sink.close(t)
	c := m.c
	m.c = nil
	c.end(t, false)
	c.holds(t, m.all.String())
}

// Flume's lines are stored once when logs are rotated, batches are sent again because a reply was
// lost, and connections and collectors end.
func TestFlumesLinesAreStoredOnceWhateverHappens(t *testing.T) {
	m := replay.Machine[*flumeModel]{
		Random: randomFlume, Start: newFlumeModel, End: func(t testing.TB, m *flumeModel) { m.end(t) }, Attempts: 200,
		Ops: map[string]func(testing.TB, *flumeModel, replay.Args){
			"write N":           func(_ testing.TB, m *flumeModel, a replay.Args) { m.write(a.Int(0)) },
			"rotate":            func(_ testing.TB, m *flumeModel, _ replay.Args) { m.log = "" },
			"send N":            func(t testing.TB, m *flumeModel, a replay.Args) { m.send(t, a.Int(0), true) },
			"send-reply-lost N": func(t testing.TB, m *flumeModel, a replay.Args) { m.send(t, a.Int(0), false) },
			"reconnect":         func(t testing.TB, m *flumeModel, _ replay.Args) { m.sink.close(t); m.sink = m.c.sink(t) },
			"restart":           func(t testing.TB, m *flumeModel, _ replay.Args) { m.restart(t) },
		},
	}
	m.Test(t, *replayFile, 2)
}

func randomFlume(random *rand.Rand) (s replay.Script) {
	for range 300 {
		switch random.IntN(20) {
		case 0:
			s = append(s, replay.NewOp("rotate"))
		case 1:
			s = append(s, replay.NewOp("reconnect"))
		case 2:
			s = append(s, replay.NewOp("restart"))
		default:
			s = append(s, replay.NewOp("write", 1+random.IntN(8)))
		}
		verb := "send"
		if random.IntN(3) == 0 {
			verb = "send-reply-lost"
		}
		s = append(s, replay.NewOp(verb, 1+random.IntN(12)))
	}
	return s
}

package scale

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"sluice/ingest/agent"
)

// world is a simulation. It is used by one goroutine.
type world struct {
	cfg   config
	rand  *rand.Rand
	queue queue
	now   time.Duration // since the start, which is midnight
	start time.Time
	log   *slog.Logger

	hosts      []*host
	collectors []*collector
	byName     map[string]*collector
	plan       []step // what has not happened yet
	split      bool
	hbasePart  float64
	draining   bool // the days are over: nothing more is written, and segments are sealed

	// Directories that governors read as "/": of a host at rest, and of one whose processors are
	// busy.
	calmRoot, busyRoot string

	out *record
}

// newWorld makes a world before its first event. dir is an empty directory of its own.
func newWorld(cfg config, dir string) (*world, error) {
	plan, err := parsePlan(cfg.Plan)
	if err != nil {
		return nil, err
	}
	w := &world{
		cfg: cfg, rand: rand.New(rand.NewPCG(cfg.Seed, 20)), start: time.Date(2026, 9, 3, 0, 0, 0, 0, time.UTC),
		log: slog.New(slog.NewTextHandler(io.Discard, nil)), byName: map[string]*collector{}, plan: plan, hbasePart: 1, out: newRecord(),
		calmRoot: filepath.Join(dir, "calm"), busyRoot: filepath.Join(dir, "busy"),
	}
	for _, d := range []string{w.calmRoot, filepath.Join(w.busyRoot, "proc/pressure")} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			return nil, err
		}
	}
	for range cfg.Collectors {
		w.addCollector()
	}
	w.addHosts()
	w.queue.add(event{at: tickInterval, kind: tick})
	for _, s := range plan {
		w.queue.add(event{at: s.at, kind: fault})
	}
	return w, nil
}

func (w *world) addCollector() *collector {
	c := &collector{name: fmt.Sprintf("c%02d:4141", len(w.collectors)+1), number: len(w.collectors), up: true, positions: map[int32]*position{}, open: map[int32]*segment{}}
	w.collectors = append(w.collectors, c)
	w.byName[c.name] = c
	return c
}

// names returns the addresses of the collectors, as agents have them.
func (w *world) names() []string {
	var names []string
	for _, c := range w.collectors {
		if !c.lost {
			names = append(names, c.name)
		}
	}
	return names
}

func (w *world) addHosts() {
	names := w.names()
	// The mean of a log-normal distribution is exp(s²/2).
	scale := w.cfg.LinesPerSecond * lineBytes / math.Exp(w.cfg.Spread*w.cfg.Spread/2)
	for i := range w.cfg.Hosts {
		h := &host{number: int32(i), name: fmt.Sprintf("web%05d", i+1), rate: scale * math.Exp(w.cfg.Spread*w.rand.NormFloat64()), loaded: i%2 == 1}
		h.route = agent.NewRoute(h.name, names, w.cfg.FailoverAfter, w.start)
		w.hosts = append(w.hosts, h)
		w.queue.add(event{at: time.Duration(w.rand.Int64N(int64(time.Minute))), kind: connect, host: h.number})
	}
}

// clock is the time of the simulation.
func (w *world) clock() time.Time { return w.start.Add(w.now) }

// run simulates the days, and then the time until everything is stored. It returns an error if a byte
// is not stored.
func (w *world) run() error {
	end := time.Duration(w.cfg.Days) * 24 * time.Hour
	for w.now < end {
		w.happen(w.queue.next())
	}
	w.draining = true
	for limit := end + 24*time.Hour; !w.drained(); {
		if w.now > limit {
			return fmt.Errorf("a day after the end %d bytes are not stored", w.unstored())
		}
		w.happen(w.queue.next())
	}
	return w.check()
}

func (w *world) happen(e event) {
	w.now = e.at
	switch e.kind {
	case tick:
		w.tick()
		w.queue.add(event{at: w.now + tickInterval, kind: tick})
		return
	case fault:
		w.fault(w.plan[0])
		w.plan = w.plan[1:]
		return
	}
	h := w.hosts[e.host]
	if e.session != h.session {
		return
	}
	switch e.kind {
	case connect:
		w.connect(h)
	case connected:
		w.welcome(h)
	case failed:
		w.disconnected(h)
	case poll:
		w.poll(h)
	case received:
		w.acknowledge(h)
	case look:
		w.look(h)
	}
}

// later adds an event of a host's present connection.
func (w *world) later(after time.Duration, k kind, h *host) {
	w.queue.add(event{at: w.now + after, kind: k, host: h.number, session: h.session})
}

// reaches reports whether a host can connect to a collector. In a split, hosts that are cut off
// reach only the first half of the collectors.
func (w *world) reaches(h *host, c *collector) bool {
	return c.up && !c.lost && (!w.split || !h.cut || c.number < len(w.collectors)/2)
}

// writePressure writes the file in which the kernel of a busy host reports the load of its processors.
func (w *world) writePressure() {
	line := fmt.Sprintf("some avg10=90.00 avg60=90.00 avg300=90.00 total=%d\n", int64(0.9*w.now.Seconds()*1e6))
	if err := os.WriteFile(filepath.Join(w.busyRoot, "proc/pressure/cpu"), []byte(line), 0o666); err != nil {
		panic(err) // the directory is the test's own
	}
}

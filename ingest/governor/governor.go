package governor

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"syscall"
	"time"
)

// Level is how much may be read.
type Level string

// The levels.
const (
	Full   Level = "full"
	Slowed Level = "slowed"
	Paused Level = "paused"
)

// Config is what a Governor works with.
type Config struct {
	// CPUShare of one core is the budget; 0 lifts it, and the host's pressure still
	// counts.
	CPUShare float64
	// CatchUp takes what it needs, beyond the budget and the host's pressure, while
	// SetUrgent says so.
	CatchUp bool
	// Root is "/"; tests have a folder with a proc and a sys of their own.
	Root string
	// Usage is the CPU time that this process has used; nil asks getrusage.
	Usage func() time.Duration
	// Trace, if any, gets a row at every step.
	Trace *Trace
	Log   *slog.Logger
	Now   func() time.Time
}

const (
	// stepInterval is how often the host is looked at while somebody reads: four
	// looks in the two seconds in which we promise to step aside.
	stepInterval = 500 * time.Millisecond
	// maxStep is the longest time that one step counts for: after a pause, or a
	// clock that jumped, nothing is made up for.
	maxStep = 5 * time.Second
	// floorPart of the budget is left under the heaviest load: a web server that is
	// busy for an hour must not make its lines an hour late.
	floorPart = 0.1
	// risePerSecond is how fast reading comes back: ten seconds from floor to full.
	risePerSecond = 0.1
	// slowFactor of the budget or less is called slowed.
	slowFactor = 0.9
	// calm is how long there must be no reason to be slow before it says full.
	calm = 3 * time.Second
)

// State is what the governor decides at present.
type State struct {
	Level  Level     `json:"level"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	// BytesPerSecond that may be read; 0 is without limit when the level is full.
	BytesPerSecond int64 `json:"bytes_per_second"`
	// CPUShare of one core that this process used of late, parts of 1.
	CPUShare float64 `json:"cpu_share"`
}

// Governor decides how much may be read. Allow, Read and Wait are for the one
// goroutine that reads; the others may be called by any.
type Governor struct {
	cfg    Config
	host   *host
	budget budget

	stepped   time.Time
	used      time.Duration // Usage at the last step
	bytes     int64         // read since
	allowance int64
	limited   bool      // something was refused since the last step
	wanting   time.Time // when last something was refused for the budget's sake
	factor    float64   // of the budget, by the host's pressure
	pressed   time.Time // when last the factor was below 1
	slowed    bool      // by pressure
	cores     float64   // budget times factor
	readings  []reading

	mu     sync.Mutex
	busy   string
	urgent string
	state  State
}

// New makes a Governor at level full.
func New(cfg Config) (*Governor, error) {
	if cfg.CPUShare < 0 || math.IsNaN(cfg.CPUShare) {
		return nil, fmt.Errorf("governor: a CPU share of %v", cfg.CPUShare)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Usage == nil {
		cfg.Usage = ownUsage
	}
	now := cfg.Now()
	g := &Governor{
		cfg: cfg, host: newHost(cfg.Root, cfg.Now, cfg.Log), budget: newBudget(), factor: 1, stepped: now, used: cfg.Usage(),
		state: State{Level: Full, Reason: "nothing is in the way", Since: now},
	}
	g.cores = g.fullCores()
	g.budget.seconds = g.cores * stepInterval.Seconds()
	g.allowance = g.budget.allowed()
	g.host.sample(now, 0)
	return g, nil
}

// ownUsage is the CPU time of this process (getrusage(2)).
func ownUsage() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fullCores is the budget without pressure, in cores.
func (g *Governor) fullCores() float64 {
	cores := g.host.cores
	if g.cfg.CPUShare > 0 {
		cores = g.cfg.CPUShare
	}
	return min(cores, g.host.limitCores()*limitPart)
}

// Allow returns how many of want bytes may be read now. With 0 it only looks at
// the host, if that is due.
func (g *Governor) Allow(want int) int {
	if now := g.cfg.Now(); now.Sub(g.stepped) >= stepInterval || now.Before(g.stepped) {
		g.step(now)
	}
	if g.allowance <= 0 && want > 0 {
		g.limited = true
		return 0
	}
	return int(max(min(int64(want), g.allowance), 0))
}

// Read says that so many bytes were read.
func (g *Governor) Read(n int) {
	g.allowance -= int64(n)
	g.bytes += int64(n)
}

// Wait is how long to wait after Allow gave less than was wanted.
func (g *Governor) Wait() time.Duration {
	next := stepInterval - g.cfg.Now().Sub(g.stepped)
	return min(max(next, g.budget.owed(g.cores), time.Millisecond), maxWait)
}

// SetBusy stops reading for a reason that is downstream; "" ends it.
func (g *Governor) SetBusy(reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy = reason
}

// SetUrgent says that unread lines are about to be deleted.
func (g *Governor) SetUrgent(urgent bool, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.urgent = ""; urgent {
		g.urgent = reason
	}
}

// State returns the present state.
func (g *Governor) State() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state
}

// step looks at the host and at ourselves, and decides for the next half second.
func (g *Governor) step(now time.Time) {
	dt := min(now.Sub(g.stepped), maxStep)
	if dt <= 0 { // the clock was set back
		g.stepped = now
		return
	}
	usage := g.cfg.Usage()
	used := max(usage-g.used, 0)
	real := now.Sub(g.stepped)
	g.stepped, g.used = now, usage
	own := used.Seconds() / real.Seconds()
	g.host.sample(now, own)
	g.readings = g.host.readings(g.readings[:0])
	worst, target, pause := g.weigh()
	g.follow(target, dt)
	g.mu.Lock()
	busy, urgent := g.busy, g.urgent
	g.mu.Unlock()
	catchUp := urgent != "" && g.cfg.CatchUp
	g.cores = g.fullCores() * g.factor
	if catchUp {
		g.cores = g.host.cores
	}
	g.budget.learn(real, used, g.bytes)
	g.budget.settle(dt, used, g.cores)
	if g.limited {
		g.wanting = now
	}
	g.bytes, g.limited = 0, false
	g.allowance = g.budget.allowed()
	if g.cfg.CPUShare == 0 && g.factor == 1 && math.IsInf(g.host.limitCores(), 1) || catchUp {
		g.allowance = math.MaxInt64
	}
	level, reason := g.judge(now, worst, pause && !catchUp, busy, urgent, catchUp)
	if level == Paused {
		g.allowance = 0
	}
	g.publish(now, level, reason, own)
}

// weigh finds the worst signal, the part of the budget it leaves, and whether it
// stops reading.
func (g *Governor) weigh() (worst reading, target float64, pause bool) {
	severity := 0.0
	for _, r := range g.readings {
		// Of two as bad the one that stops reading counts: a full disk queue is not
		// hidden behind busy CPUs.
		if s := r.severity(); s > severity || s > 0 && s == severity && r.pauses {
			worst, severity = r, s
		}
	}
	return worst, 1 - severity*(1-floorPart), worst.pauses && severity >= 1
}

// follow moves the factor: down at once, up bit by bit. The step up ends a little
// below a target that keeps moving, so a load that hovers does not rock it.
func (g *Governor) follow(target float64, dt time.Duration) {
	if target < g.factor {
		g.factor = target
		return
	}
	g.factor = min(target, g.factor+risePerSecond*dt.Seconds())
}

// slow reports whether the host's pressure is worth a name: from a tenth of the
// budget on, and then until there was none for calm, so that a load that hovers
// at the mark is one state and not hundreds.
func (g *Governor) slow(now time.Time) bool {
	if g.factor < 1 {
		g.pressed = now
	}
	if g.factor < slowFactor {
		g.slowed = true
	}
	if now.Sub(g.pressed) >= calm {
		g.slowed = false
	}
	return g.slowed
}

// judge names the level and its reason.
func (g *Governor) judge(now time.Time, worst reading, pause bool, busy, urgent string, catchUp bool) (Level, string) {
	also := ""
	if urgent != "" {
		also = "; urgent: " + urgent
	}
	switch {
	case busy != "":
		return Paused, "downstream is busy: " + busy + also
	case pause:
		return Paused, worst.String() + also
	case catchUp:
		return Full, "catching up beyond the budget: " + urgent
	case g.slow(now) && worst.name != "":
		return Slowed, fmt.Sprintf("%s; using %.1f %% of a core at most%s", worst.String(), g.cores*100, also)
	case g.slow(now):
		return Slowed, fmt.Sprintf("the host was under pressure; coming back, using %.1f %% of a core at most%s", g.cores*100, also)
	case now.Sub(g.wanting) < calm && !g.wanting.IsZero():
		return Slowed, fmt.Sprintf("the budget of %.1f %% of a core is used up (--cpu)%s", g.cores*100, also)
	}
	return Full, "nothing is in the way" + also
}

// publish makes the decision seen. A change to full is said only when the level
// below it is over for a while.
func (g *Governor) publish(now time.Time, level Level, reason string, own float64) {
	perSecond := g.cores / g.budget.cost()
	if level == Paused {
		perSecond = 0
	} else if g.allowance == math.MaxInt64 {
		perSecond = 0
	}
	g.mu.Lock()
	old := g.state
	g.state.Reason, g.state.BytesPerSecond = reason, int64(min(perSecond, 1e18))
	g.state.CPUShare = old.CPUShare*0.7 + own*0.3
	changed := old.Level != level
	if changed {
		g.state.Level, g.state.Since = level, now
	}
	g.mu.Unlock()
	if g.cfg.Trace != nil {
		g.cfg.Trace.row(now, level, perSecond, own, g.cores, g.readings)
	}
	if !changed {
		return
	}
	severity := slog.LevelInfo
	if level == Paused {
		severity = slog.LevelWarn
	}
	g.cfg.Log.Log(context.Background(), severity, "governor level changed", "level", string(level), "reason", reason, "old", string(old.Level), "after", now.Sub(old.Since).Round(time.Millisecond))
}

// decay is what of a memory of so long is left after dt.
func decay(dt, memory time.Duration) float64 {
	return math.Exp(-dt.Seconds() / memory.Seconds())
}

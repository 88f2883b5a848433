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

// Level is the degree to which reading is limited.
type Level string

// The levels.
const (
	Full   Level = "full"
	Slowed Level = "slowed"
	Paused Level = "paused"
)

// Config configures a Governor.
type Config struct {
	// CPUShare is the budget as a share of one core. 0: no budget; the host's pressure still
	// counts.
	CPUShare float64
	// CatchUp ignores the budget and the host's pressure while SetUrgent is in effect.
	CatchUp bool
	// Root is "/"; tests use a directory with its own proc and sys.
	Root string
	// Usage returns the CPU time that this process has used; nil: getrusage.
	Usage func() time.Duration
	// Trace, if not nil, gets a row for every step.
	Trace *Trace
	Log   *slog.Logger
	Now   func() time.Time
}

const (
	// stepInterval is how often the host is measured while logs are read: four times in the two
	// seconds within which reading must slow down.
	stepInterval = 500 * time.Millisecond
	// maxStep is the longest time that one step counts for, so that a pause or a jump of the clock
	// gives no credit.
	maxStep = 5 * time.Second
	// floorPart is the part of the budget that remains under the heaviest load, so that a web
	// server that is busy for an hour does not delay its lines by an hour.
	floorPart = 0.1
	// risePerSecond is how fast reading resumes: ten seconds from floor to full.
	risePerSecond = 0.1
	// slowFactor is the factor of the budget from which on downwards the level is slowed.
	slowFactor = 0.9
	// calm is how long there must be no reason to be slow before the level is full.
	calm = 3 * time.Second
)

// State is the present decision.
type State struct {
	Level  Level     `json:"level"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	// BytesPerSecond may be read; 0: no limit, if the level is full.
	BytesPerSecond int64 `json:"bytes_per_second"`
	// CPUShare is the share of one core that this process used recently; 1 is a whole core.
	CPUShare float64 `json:"cpu_share"`
}

// Governor decides how much may be read. Allow, Read and Wait must be called by one goroutine; the
// other methods may be called concurrently.
type Governor struct {
	cfg    Config
	host   *host
	budget budget

	stepped   time.Time
	used      time.Duration // Usage at the last step
	bytes     int64         // read since
	allowance int64
	limited   bool      // something was refused since the last step
	wanting   time.Time // when something was last refused because of the budget
	factor    float64   // of the budget, from the host's pressure
	pressed   time.Time // when the factor was last below 1
	slowed    bool      // by pressure
	cores     float64   // budget times factor
	readings  []reading

	mu     sync.Mutex
	urgent string
	state  State
}

// New returns a Governor at level full.
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
		state: State{Level: Full, Reason: "nothing limits reading", Since: now},
	}
	g.cores = g.fullCores()
	g.budget.seconds = g.cores * stepInterval.Seconds()
	g.allowance = g.budget.allowed()
	g.host.sample(now, 0)
	return g, nil
}

// ownUsage returns the CPU time of this process (getrusage(2)).
func ownUsage() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fullCores returns the budget without pressure, in cores.
func (g *Governor) fullCores() float64 {
	cores := g.host.cores
	if g.cfg.CPUShare > 0 {
		cores = g.cfg.CPUShare
	}
	return min(cores, g.host.limitCores()*limitPart)
}

// Allow returns how many of want bytes may be read now. With 0 it only measures the host, if that
// is due.
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

// Read reports that n bytes were read.
func (g *Governor) Read(n int) {
	g.allowance -= int64(n)
	g.bytes += int64(n)
}

// Wait returns how long to wait after Allow returned less than want.
func (g *Governor) Wait() time.Duration {
	next := stepInterval - g.cfg.Now().Sub(g.stepped)
	return min(max(next, g.budget.owed(g.cores), time.Millisecond), maxWait)
}

// SetUrgent reports whether unread lines are about to be deleted.
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

// step measures the host and this process, and decides for the next stepInterval.
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
	urgent := g.urgent
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
	level, reason := g.judge(now, worst, pause && !catchUp, urgent, catchUp)
	if level == Paused {
		g.allowance = 0
	}
	g.publish(now, level, reason, own)
}

// weigh returns the worst signal, the part of the budget that it leaves, and whether it stops
// reading.
func (g *Governor) weigh() (worst reading, target float64, pause bool) {
	severity := 0.0
	for _, r := range g.readings {
		// Of two equal signals the one that stops reading counts, so that busy CPUs do not hide a
		// full disk queue.
		if s := r.severity(); s > severity || s > 0 && s == severity && r.pauses {
			worst, severity = r, s
		}
	}
	return worst, 1 - severity*(1-floorPart), worst.pauses && severity >= 1
}

// follow changes the factor: down at once, up slowly. The rise ends a little below a target that
// varies, so a varying load does not make it oscillate.
func (g *Governor) follow(target float64, dt time.Duration) {
	if target < g.factor {
		g.factor = target
		return
	}
	g.factor = min(target, g.factor+risePerSecond*dt.Seconds())
}

// slow reports whether the host's pressure makes the level slowed: from a reduction by a tenth on,
// until there was none for calm, so that a load near the limit causes one change of level and not
// hundreds.
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

// judge returns the level and its reason.
func (g *Governor) judge(now time.Time, worst reading, pause bool, urgent string, catchUp bool) (Level, string) {
	also := ""
	if urgent != "" {
		also = "; urgent: " + urgent
	}
	switch {
	case pause:
		return Paused, worst.String() + also
	case catchUp:
		return Full, "catching up beyond the budget: " + urgent
	case g.slow(now) && worst.name != "":
		return Slowed, fmt.Sprintf("%s; using %.1f %% of a core at most%s", worst.String(), g.cores*100, also)
	case g.slow(now):
		return Slowed, fmt.Sprintf("the host was under pressure; recovering, using %.1f %% of a core at most%s", g.cores*100, also)
	case now.Sub(g.wanting) < calm && !g.wanting.IsZero():
		return Slowed, fmt.Sprintf("the budget of %.1f %% of a core is used up (--cpu)%s", g.cores*100, also)
	}
	return Full, "nothing limits reading" + also
}

// publish stores the decision. A change to full is only published when the lower level has been
// over for a while.
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

// decay returns what is left after dt of a value with a decay time of memory.
func decay(dt, memory time.Duration) float64 {
	return math.Exp(-dt.Seconds() / memory.Seconds())
}

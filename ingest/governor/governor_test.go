package governor

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// plant is a simulated machine: its clock, the CPU that the governor's process uses, and the
// kernel's files.
type plant struct {
	*testing.T
	root    string
	clock   time.Time
	used    time.Duration // by this process
	others  float64       // cores that other processes use
	waiting float64       // part of the time in which some process waits for the CPU
	cost    time.Duration // of a megabyte
	psi     float64       // µs
	busy    float64       // ticks
	total   float64
	log     strings.Builder
	g       *Governor
	read    int64
}

func newPlant(t *testing.T, cfg Config) *plant {
	p := &plant{T: t, root: t.TempDir(), clock: time.Unix(1_800_000_000, 0), cost: 10 * time.Millisecond}
	p.files()
	cfg.Root, cfg.Usage, cfg.Now = p.root, func() time.Duration { return p.used }, func() time.Time { return p.clock }
	cfg.Log = slog.New(slog.NewTextHandler(&p.log, nil))
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.g = g
	return p
}

func (p *plant) write(name, text string) {
	p.Helper()
	path := filepath.Join(p.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
}

func (p *plant) files() {
	p.write("proc/pressure/cpu", fmt.Sprintf("some avg10=0.00 avg60=0.00 avg300=0.00 total=%.0f\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", p.psi))
	p.write("proc/stat", fmt.Sprintf("cpu  %.0f 0 0 %.0f 0 0 0 0 0 0\n", p.busy, p.total-p.busy))
	p.write("sys/devices/system/cpu/online", "0-1\n")
}

// run simulates d in steps of 100 ms. In each step it reads as much as Allow returns, up to want
// bytes a second, and then calls each.
func (p *plant) run(d time.Duration, want int, each func()) {
	p.Helper()
	for end := p.clock.Add(d); p.clock.Before(end); {
		p.clock = p.clock.Add(100 * time.Millisecond)
		p.psi += p.waiting * 1e5
		own := time.Duration(0)
		for left := want / 10; left > 0; {
			n := p.g.Allow(left)
			if n == 0 {
				break
			}
			p.g.Read(n)
			p.read += int64(n)
			left -= n
			own += time.Duration(float64(n) / 1e6 * float64(p.cost))
		}
		p.used += own
		p.total += 20
		p.busy += min(p.others*10+own.Seconds()*100, 20)
		p.files()
		if each != nil {
			each()
		}
	}
}

func (p *plant) changes() int { return strings.Count(p.log.String(), "governor level changed") }

// The budget is kept if a byte costs a hundred times more or less than estimated at first.
func TestTheBudgetIsKeptWhateverAByteCosts(t *testing.T) {
	for _, cost := range []time.Duration{100 * time.Microsecond, 10 * time.Millisecond, time.Second} {
		p := newPlant(t, Config{CPUShare: 0.05})
		p.cost = cost
		p.run(2*time.Minute, 1<<30, nil)
		if share := p.used.Seconds() / 120; share > 0.055 || share < 0.04 {
			t.Errorf("a megabyte costs %v: %.1f %% of a core were used, the budget is 5 %%", cost, share*100)
		}
		if s := p.g.State(); s.Level != Slowed || !strings.Contains(s.Reason, "--cpu") {
			t.Errorf("a megabyte costs %v: %+v, want slowed by the budget", cost, s)
		}
	}
}

// Reading slows within two seconds of a load and resumes after it, without oscillating.
func TestBudgetFallsUnderPressureAndRecovers(t *testing.T) {
	p := newPlant(t, Config{CPUShare: 0.05})
	p.run(30*time.Second, 1_000_000, nil)
	if s := p.g.State(); s.Level != Full {
		t.Fatalf("alone: %+v", s)
	}
	p.others, p.waiting = 2, 0.95
	began, aside := p.clock, time.Duration(-1)
	p.run(60*time.Second, 10_000_000, func() {
		if aside < 0 && p.g.State().Level != Full && p.g.cores < 0.01 {
			aside = p.clock.Sub(began)
		}
	})
	if aside < 0 || aside > 2*time.Second {
		t.Errorf("reading slowed after %v", aside)
	}
	used := p.used
	p.run(60*time.Second, 10_000_000, nil)
	if share := (p.used - used).Seconds() / 60; share > 0.006 {
		t.Errorf("under load it uses %.2f %% of a core, the floor is 0.5 %%", share*100)
	}
	p.others, p.waiting = 0, 0
	p.run(5*time.Second, 1_000_000, nil)
	if s := p.g.State(); s.Level != Slowed {
		t.Errorf("the budget has recovered after only 5 s: %+v", s)
	}
	p.run(15*time.Second, 1_000_000, nil)
	if s := p.g.State(); s.Level != Full {
		t.Errorf("the budget has not recovered after 20 s: %+v", s)
	}
	if n := p.changes(); n != 2 {
		t.Errorf("%d changes of level, want 2:\n%s", n, p.log.String())
	}
}

// A load around the limit for five minutes does not cause many changes of level.
func TestALoadNearTheLimitCausesNoOscillation(t *testing.T) {
	p := newPlant(t, Config{CPUShare: 0.05})
	random := rand.New(rand.NewPCG(1, 2))
	p.others = 1.5
	p.run(5*time.Minute, 1_000_000, func() { p.waiting = 0.3 + 0.2*(random.Float64()-0.5) })
	if n := p.changes(); n > 20 {
		t.Errorf("%d changes of level in five minutes:\n%s", n, p.log.String())
	}
}

func TestUrgencyOverridesTheBudget(t *testing.T) {
	p := newPlant(t, Config{CPUShare: 0.01, CatchUp: true})
	p.g.SetUrgent(true, "access.log is deleted in a minute")
	used := p.used
	p.run(10*time.Second, 20_000_000, nil)
	if share := (p.used - used).Seconds() / 10; share < 0.1 {
		t.Errorf("urgent: only %.1f %% of a core were used", share*100)
	}
	if s := p.g.State(); !strings.Contains(s.Reason, "deleted in a minute") {
		t.Errorf("urgent: %+v", s)
	}
}

// A clock that is set back, or a long suspension, gives no credit.
func TestAClockJumpAddsNoBudget(t *testing.T) {
	p := newPlant(t, Config{CPUShare: 0.05})
	p.run(time.Minute, 1<<30, nil)
	for _, jump := range []time.Duration{-time.Hour, 24 * time.Hour} {
		p.clock = p.clock.Add(jump)
		used := p.used
		p.run(10*time.Second, 1<<30, nil)
		if share := (p.used - used).Seconds(); share > 10*0.05+maxSaved.Seconds()*0.05+0.1 {
			t.Errorf("after a jump of %v it used %.2f s in 10 s", jump, share)
		}
	}
}

// The cgroup's limit limits the budget, in both versions.
func TestACgroupsLimitBoundsTheBudget(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"2": {"proc/self/cgroup": "0::/web\n", "sys/fs/cgroup/web/cpu.max": "2000 100000\n", "sys/fs/cgroup/web/cpu.stat": "usage_usec 0\nnr_periods 0\nnr_throttled 0\n"},
		"1": {"proc/self/cgroup": "3:cpu,cpuacct:/web\n", "sys/fs/cgroup/cpu,cpuacct/web/cpu.cfs_quota_us": "2000\n", "sys/fs/cgroup/cpu,cpuacct/web/cpu.cfs_period_us": "100000\n"},
	} {
		p := newPlant(t, Config{CPUShare: 0.05})
		for file, text := range files {
			p.write(file, text)
		}
		p.g.host.findLimit(p.clock)
		if got := p.g.fullCores(); math.Abs(got-0.02*limitPart) > 1e-9 {
			t.Errorf("version %s: %.4f cores, want %.4f", name, got, 0.02*limitPart)
		}
	}
}

// Missing and malformed files are logged once and do not stop the governor.
func TestMissingAndMalformedFilesAreLoggedOnce(t *testing.T) {
	p := newPlant(t, Config{CPUShare: 0.05})
	p.run(5*time.Second, 1_000_000, func() {
		p.write("proc/pressure/cpu", "some total=x\n")
		p.write("proc/stat", "\x00\xff")
	})
	if p.read == 0 {
		t.Error("nothing was read")
	}
	if n := strings.Count(p.log.String(), "pressure/cpu"); n > 1 {
		t.Errorf("a malformed file was logged %d times", n)
	}
}

// Calling Allow between two steps does not allocate.
func TestAllocAllowBetweenStepsAllocatesNothing(t *testing.T) {
	p := newPlant(t, Config{CPUShare: 0.05})
	if n := testing.AllocsPerRun(100, func() { p.g.Read(p.g.Allow(100)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Any content of the kernel's files is parsed or rejected, and the rates are finite numbers.
func FuzzParsers(f *testing.F) {
	f.Add([]byte("some avg10=0.00 avg60=0.00 avg300=0.01 total=2600184\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"))
	f.Add([]byte("cpu  10132 0 2290 1203023 140 0 33 17 0 0\ncpu0 1 2 3 4\n"))
	f.Add([]byte("0.20 0.18 0.12 1/80 11206\n"))
	f.Add([]byte("usage_usec 100\nnr_periods 10\nnr_throttled 2\n"))
	f.Add([]byte("9:name=systemd:/\n1:cpu:/\n0::/user.slice\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		psiTotals(b)
		cpuTicks(b)
		cgroupPaths(b)
		throttled(b)
		if l, ok := cpuMax(b); ok && !(l.cores >= 0) {
			t.Errorf("a limit of %v cores", l.cores)
		}
		if running, ok := loadNow(b); ok && !(running >= 0) {
			t.Errorf("%v threads run", running)
		}
	})
}

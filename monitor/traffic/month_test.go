package traffic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sluice/ingest/collector"
	"sluice/ingest/protocol"
	"sluice/ingest/receiver"
	"sluice/monitor"
)

// month simulates a month of web hosts, after two weeks in which a watch learns their rhythm.
type month struct {
	random *rand.Rand
	sites  []*site
	day    float64 // logarithm of a factor for all hosts, which changes slowly
}

// site is a simulated host.
type site struct {
	name         string
	from, to     int64 // first slot, and the slot after the last one
	drainedFrom  int64 // from then on its lines fall linearly to none at to; 0: never
	perMinute    float64
	swing, phase float64 // amplitude and phase (hours) of the daily rhythm
	weekend      float64
	holiday      float64
	noise        float64 // logarithm of a factor of its own, which changes slowly
	joined       int64   // from then on another host takes 1/11 of its traffic; 0: never
	peak         int64   // start of a viral peak; 0: none
	late         float64 // lines that arrive one slot later
	failure      *failure
	deployed     int64
}

type failure struct {
	kind    string
	at, end int64
	factor  float64
	host    string
	found   int64
}

const (
	monthHosts  = 50
	monthDays   = 44
	monthSlots  = monthDays * day
	monthFaults = 30
)

// holidays are the days on which all hosts have less traffic.
var holidays = []int64{18, 32, 33}

func newMonth(seed uint64) *month {
	r := rand.New(rand.NewPCG(seed, 18))
	m := &month{random: r}
	for i := range monthHosts {
		s := &site{name: fmt.Sprintf("web%02d", i+1), to: monthSlots, perMinute: 6 * math.Exp(r.Float64()*math.Log(100)),
			swing: 0.5 + r.Float64(), phase: r.NormFloat64() * 1.2, weekend: 0.35 + r.Float64(), holiday: 0.45 * math.Exp(0.1*r.NormFloat64())}
		switch {
		case i >= 45: // hosts that are added
			s.from = int64(15+5*(i-45))*day + r.Int64N(day)
		case i >= 42: // hosts that are drained over three days and retired
			s.to = int64(19+8*(i-42)) * day
			s.drainedFrom = s.to - 3*day
		case i >= 32: // hosts behind one load balancer, which gets another host
			s.joined = 24 * day
		}
		m.sites = append(m.sites, s)
	}
	m.sites[3].perMinute, m.sites[3].peak = 60, 21*day+44
	m.fail()
	return m
}

// fail plans the failures, each of one host.
func (m *month) fail() {
	kinds := []string{"one virtual host's log unread", "half of the lines missing", "dead at dawn"}
	for i := range monthFaults {
		f := &failure{kind: kinds[i%3], at: int64(16)*day + int64(i)*27*day/monthFaults + m.random.Int64N(day/2), factor: 0.5, end: 0}
		switch i % 3 {
		case 0:
			f.factor = 0.3 + 0.2*m.random.Float64()
		case 2:
			f.factor, f.at = 0, f.at/day*day+20+m.random.Int64N(4)
		}
		f.end = f.at + 48
		s := m.sites[4+i%28]
		if i >= 28 {
			s = m.sites[i-28]
		}
		f.host = s.name
		s.failure = f
	}
}

// lines returns the lines of each host in a slot, without the hosts that do not exist then. It must
// be called for each slot in order.
func (m *month) lines(slot int64) map[string]float32 {
	r := m.random
	m.day = 0.9*m.day + 0.02*r.NormFloat64()
	all := map[string]float32{}
	for _, s := range m.sites {
		if slot < s.from || slot >= s.to {
			continue
		}
		n := s.expected(slot) * math.Exp(m.day)
		s.noise = 0.9*s.noise + 0.03*r.NormFloat64()
		n *= math.Exp(s.noise) * gamma(r, 100)
		n = poisson(r, n)
		if f := s.failure; f != nil && f.at <= slot && slot < f.end {
			n = poisson(r, n*f.factor)
		}
		if slot >= s.deployed { // a restart every two to five days delays a tenth of the lines
			s.deployed, s.late = slot+int64(2*day+r.IntN(3*day)), s.late+n*0.1
			n *= 0.9
		}
		n, s.late = n+s.late, 0
		if slot%4 == 3 { // at the end of the hour's file some lines arrive late
			s.late = math.Floor(n * 0.04 * r.Float64())
			n -= s.late
		}
		all[s.name] = float32(math.Floor(n))
	}
	return all
}

// expected returns the mean number of lines of a site in a slot, without noise and failures.
func (s *site) expected(slot int64) float64 {
	hour := float64(slot%day)/4 - s.phase
	n := 15 * s.perMinute * math.Exp(-s.swing*(1+math.Cos(2*math.Pi*(hour-3)/24)))
	if weekday := slot / day % 7; weekday >= 5 {
		n *= s.weekend
	}
	if slices.Contains(holidays, slot/day) {
		n *= s.holiday
	}
	if s.joined > 0 && slot >= s.joined {
		n *= 10. / 11
	}
	if s.peak > 0 && slot >= s.peak && slot < s.peak+24 {
		n *= 15
	}
	if s.drainedFrom > 0 && slot >= s.drainedFrom {
		n *= float64(s.to-slot) / float64(s.to-s.drainedFrom)
	}
	return n
}

// gamma returns a gamma-distributed number with mean 1.
func gamma(r *rand.Rand, shape int) (x float64) {
	for range shape {
		x += r.ExpFloat64()
	}
	return x / float64(shape)
}

// poisson returns a Poisson-distributed number: exact for means up to 50, from a normal
// distribution above.
func poisson(r *rand.Rand, mean float64) float64 {
	if mean > 50 {
		return math.Max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64()))
	}
	n, p := 0.0, r.Float64()
	for q := math.Exp(-mean); p > q; p *= r.Float64() {
		n++
	}
	return n
}

// TestASimulatedMonth simulates 50 hosts with a rhythm of days and weeks, holidays, deployments,
// hosts that are added and retired, a viral peak, and log files of an hour. There must be no error,
// at most one warning without a cause, and each of 30 partial failures must be found.
func TestASimulatedMonth(t *testing.T) {
	if raceDetector || testing.Short() {
		t.Skip("left out: one goroutine that runs for long; make plain runs it")
	}
	for _, seed := range []uint64{1, 2, 3, 41} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			m, w := newMonth(seed), newWatch()
			wrong := map[string]int64{} // by host, the last slot with a warning that has no cause
			falseWarnings, falseErrors := 0, 0
			for slot := range int64(monthSlots) {
				lines := m.lines(slot)
				w.Observe(slot, lines)
				h := healthOf(slot, lines, w.low())
				for name, x := range h.Metrics {
					if x.Status == "ERROR" {
						falseErrors++
					}
					if x.Status != "WARN" {
						continue
					}
					s := m.sites[slices.IndexFunc(m.sites, func(s *site) bool { return s.name == name })]
					if f := s.failure; f != nil && slot >= f.at && slot < f.end+2*calmAfter+16 {
						if f.found == 0 {
							f.found = slot + 1
						}
						continue
					}
					if last, ok := wrong[name]; !ok || slot-last > 1 {
						falseWarnings++
						t.Logf("no failure: day %d %s: %s %s", slot/day, clock(slot), name, x.Warnings[0])
					}
					wrong[name] = slot
				}
			}
			var took []time.Duration
			for _, s := range m.sites {
				f := s.failure
				if f == nil {
					continue
				}
				if f.found == 0 || f.found > f.end {
					t.Errorf("not found: %s on %s, day %d %s", f.kind, f.host, f.at/day, clock(f.at))
					continue
				}
				after := time.Duration(f.found-f.at) * 15 * time.Minute
				took = append(took, after)
				t.Logf("%-30s %s day %2d %s: found after %s", f.kind, f.host, f.at/day, clock(f.at), after)
			}
			slices.Sort(took)
			if len(took) > 0 {
				t.Logf("seed %d: %d of %d failures found, median %s, longest %s; %d false errors, %d false warnings", seed, len(took), monthFaults, took[len(took)/2], took[len(took)-1], falseErrors, falseWarnings)
			}
			if falseErrors > 0 || falseWarnings > 1 || len(took) != monthFaults {
				t.Errorf("%d false errors, %d false warnings, %d failures found", falseErrors, falseWarnings, len(took))
			}
		})
	}
}

func clock(slot int64) string { return fmt.Sprintf("%02d:%02d", slot%day/4, slot%4*15) }

// healthOf returns the content of /health for hosts whose only problems are the findings in low.
func healthOf(slot int64, lines map[string]float32, low map[string]Finding) monitor.Health {
	now := time.Unix(1_800_000_000+900*slot, 0)
	f := monitor.Fleet{Now: now, Kind: monitor.Collector, Hosts: map[string]monitor.Host{}}
	for name := range lines {
		beat := protocol.Heartbeat{TimeMs: now.UnixMilli()}
		h := monitor.Sender(now, receiver.Host{Name: name, Connections: 1, Missed: true, Seen: now, BeatAt: now, Beat: beat}, collector.Waiting{}, collector.Share{})
		if x, ok := low[name]; ok {
			h.Add(monitor.Traffic, "%s", x.String())
		}
		f.Hosts[name] = h
	}
	return f.Check(monitor.Thresholds{SilentAfter: 2 * time.Minute, MaxLag: 10 * time.Minute})
}

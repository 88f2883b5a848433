package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/monitor"
)

var longDrill = flag.Bool("drill", false, "also suspend all processes, and require each fault to be reported within 30 s")

// namedWithin is the limit of the time until a fault is reported, on a machine without other load.
const namedWithin = 30 * time.Second

// patience is --silent-after and --max-lag of the collectors: on a machine with other load a host
// without a fault may be late by more than a short time.
func patience() string {
	if *longDrill {
		return "20s"
	}
	return "60s"
}

// drill is a group of collectors and agents into which faults are injected.
type drill struct {
	*testing.T
	dir        string
	ca         *authority
	collectors map[string]*drillCollector
	agents     map[string]*follower
	extra      map[string][]string // arguments of a host's agent, in addition to the common ones
	only       map[string]string   // the log that a host's agent reads, if not all of its directory
	asked      time.Time           // when the health was requested last
	older      map[string]bool     // hosts with an agent of an older version
	program    [2]string           // of the older and of the current version
	growing    []string            // logs that get a line each time the health is requested
	faults     []*fault            // injected and not yet repaired
	steps      []step              // of injections, that wait for something
	seen       map[string]string   // text of each reported problem, by collector, host and kind
	data       string              // data directory of c1
	hbase      *drillHBase         // with the table of c4
	endClock   func()              // stops the agent of web12
	// For the disk of c1; nil if it has none of its own.
	nearlyFillDisk, fillDisk, freeDisk func()
}

// drillCollector is a collector of a drill.
type drillCollector struct {
	*follower
	listen, status string
	args           []string
}

func (d *drill) path(host string, name string) string { return filepath.Join(d.dir, host, name) }

// write appends text to a host's log.
func (d *drill) write(host string, text string) { d.Helper(); d.writeTo(host, "access.log", text) }

func (d *drill) writeTo(host, name, text string) {
	d.Helper()
	f, err := os.OpenFile(d.path(host, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	d.must(err)
	defer f.Close() //nolint:errcheck // the test would miss the line
	_, err = f.WriteString(text)
	d.must(err)
}

func (d *drill) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func lineAt(at time.Time) string {
	return fmt.Sprintf("10.0.0.1 - - [%s] \"GET / HTTP/1.1\" 200 7\n", at.UTC().Format("02/Jan/2006:15:04:05 -0700"))
}

// step is a part of an injection that is done when a host is in some state.
type step struct {
	collector, host string
	ready           func(x monitor.Host) bool
	do              func()
}

// when calls do when a host is in a state, while the health is requested.
func (d *drill) when(collector, host string, ready func(x monitor.Host) bool, do func()) {
	d.steps = append(d.steps, step{collector, host, ready, do})
}

// advance does the steps that are ready.
func (d *drill) advance(all map[string]*monitor.Health) {
	steps := d.steps
	d.steps = nil
	for _, s := range steps {
		h := all[s.collector]
		if h == nil {
			d.steps = append(d.steps, s)
		} else if x, known := h.Metrics[s.host]; known && s.ready(x) {
			s.do()
		} else {
			d.steps = append(d.steps, s)
		}
	}
}

// look requests the health of all collectors and records the reported problems in seen and in the
// faults. A collector that does not answer is left out of the result.
func (d *drill) look() map[string]*monitor.Health {
	for _, path := range d.growing {
		d.writeTo("", path, lineAt(time.Now()))
	}
	d.asked = time.Now()
	all := map[string]*monitor.Health{}
	for name, c := range d.collectors {
		if h := askHealth(d.T, c.status); h != nil {
			all[name] = h
		}
	}
	now := time.Now()
	for _, f := range d.faults {
		f.present = f.present && all[f.at] == nil // a collector that does not answer clears nothing
	}
	for name, h := range all {
		d.note(now, name, "", h.Process.Problems)
		for host, x := range h.Metrics {
			d.note(now, name, host, x.Problems)
		}
	}
	for _, f := range d.faults {
		switch {
		case f.present:
			f.cleared = time.Time{}
		case f.cleared.IsZero():
			f.cleared = now
		}
	}
	d.advance(all)
	return all
}

func (d *drill) note(now time.Time, collector, host string, problems []monitor.Problem) {
	for _, p := range problems {
		d.seen[collector+" "+host+" "+string(p.Kind)] = p.Text
		for _, f := range d.faults {
			if f.injected.IsZero() || f.at != collector || f.host != host || f.kind != p.Kind || !strings.Contains(p.Text, f.cause) {
				continue
			}
			if f.named.IsZero() {
				f.named = now
			}
			f.present = true
		}
	}
}

// await requests the health until come returns true for the answers, and fails the test after ten
// minutes.
func (d *drill) await(what string, come func(all map[string]*monitor.Health) bool) {
	d.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(10 * time.Minute); ; {
		all := d.look()
		if come(all) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			for host, a := range d.agents {
				if a.ProcessState != nil {
					d.Logf("%s: %v\n%s", host, a.ProcessState, a.output(d.T))
				}
			}
			for name, h := range all {
				d.Logf("%s:\n%s\n%s", name, strings.Join(h.Table(), "\n"), d.collectors[name].output(d.T))
			}
			for _, f := range d.faults {
				d.Logf("%s: %s %q, now %v", f.what, f.kind, f.cause, f.present)
			}
			d.Fatalf("%s does not come: %q", what, d.seen)
		}
	}
}

// fault is a fault to inject, the problem that must be reported for it, and its repair.
type fault struct {
	what     string
	at, host string // the collector that must report it, and the host; "": the collector itself
	kind     monitor.ProblemKind
	cause    string                // must be part of the problem's text
	also     []monitor.ProblemKind // other problems that it may cause at the same place
	inject   func(f *fault)
	repair   func() // nil: the problem remains
	remedy   string // what repair is, if not the end of the fault: then it does not clear by itself

	injected, named, repaired, cleared time.Time
	present                            bool
}

// TestDrill injects faults into ten and more agents and their collectors, all at the same time.
// Each must be reported with its host and cause, no other problem may be reported, and a repaired
// fault must disappear.
func TestDrill(t *testing.T) {
	t.Parallel()
	d := &drill{T: t, dir: t.TempDir(), collectors: map[string]*drillCollector{}, agents: map[string]*follower{}, extra: map[string][]string{}, only: map[string]string{}, older: map[string]bool{}, seen: map[string]string{}}
	d.setUp()
	if *longDrill {
		d.suspend()
	}
	allowed := map[string]bool{}
	for _, round := range []func() []*fault{d.atOnce, d.afterwards} {
		faults := round()
		d.run(faults)
		for _, f := range faults {
			for _, kind := range append(f.also, f.kind) {
				allowed[f.at+" "+f.host+" "+string(kind)] = true
			}
		}
	}
	for key, text := range d.seen {
		if !allowed[key] {
			t.Errorf("%q is reported without such a fault: %s", key, text)
		}
	}
	d.rowsArrive()
	d.end()
}

// run injects faults, waits until all are reported, repairs them, waits until they are no longer
// reported, and prints a table.
func (d *drill) run(faults []*fault) {
	d.Helper()
	d.faults = faults
	for _, f := range faults {
		f.injected = time.Now()
		f.inject(f)
	}
	d.await("the report of all faults", func(map[string]*monitor.Health) bool {
		return len(d.steps) == 0 && !slices.ContainsFunc(faults, func(f *fault) bool { return f.named.IsZero() })
	})
	for _, f := range faults {
		if f.repair != nil {
			f.repaired = time.Now()
			f.repair()
			d.look()
		}
	}
	d.await("the end of all faults", func(map[string]*monitor.Health) bool {
		return !slices.ContainsFunc(faults, func(f *fault) bool { return f.repair != nil && f.present })
	})
	for _, f := range faults {
		ended := "remains"
		if f.repair != nil {
			ended = strings.TrimSpace(fmt.Sprintf("%.1f s %s", f.cleared.Sub(f.repaired).Seconds(), f.remedy))
		}
		d.Logf("| %s | %s | `%s` | %.1f s | %s |", f.what, strings.TrimSpace(f.at+" "+f.host), f.kind, f.named.Sub(f.injected).Seconds(), ended)
		if took := f.named.Sub(f.injected); *longDrill && took > namedWithin {
			d.Errorf("%s: reported after %s, more than %s", f.what, took, namedWithin)
		}
	}
}

// suspend stops all processes for longer than --silent-after, like a suspended machine, and checks
// that this is not reported as a problem.
func (d *drill) suspend() {
	d.Helper()
	var all []*follower
	for _, c := range d.collectors {
		all = append(all, c.follower)
	}
	for _, a := range d.agents {
		all = append(all, a)
	}
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		for _, p := range all {
			d.must(p.Process.Signal(sig))
		}
		if sig == syscall.SIGSTOP {
			<-time.After(30 * time.Second)
		}
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		d.look()
	}
	for key, text := range d.seen {
		if key != "c1 web11 never_heard" && !strings.HasPrefix(key, "c1 web12 ") { // the agent of web12 is not a process
			d.Errorf("%q is reported because the machine was suspended: %s", key, text)
		}
	}
	clear(d.seen)
}

func (d *drill) end() {
	d.Helper()
	d.endClock()
	d.endAll(d.agents)
	collectors := map[string]*follower{}
	for name, c := range d.collectors {
		collectors[name] = c.follower
	}
	d.endAll(collectors)
}

// endAll stops processes with SIGTERM and waits for their end.
func (d *drill) endAll(processes map[string]*follower) {
	d.Helper()
	for _, p := range processes {
		d.must(p.Process.Signal(syscall.SIGTERM))
	}
	for name, p := range processes {
		if err := p.Wait(); err != nil {
			d.Errorf("%s: %v\n%s", name, err, p.output(d.T))
		}
	}
}

package main

import (
	"cmp"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/monitor"
)

var longDrill = flag.Bool("drill", false, "also suspend all processes, and print every fault")

// drill is a collector and ten agents, into which faults are injected.
type drill struct {
	*testing.T
	dir, listen, status string
	ca                  *authority
	collector           *follower
	agents              map[string]*follower
	seen                map[string]time.Time // by host and kind: when the problem was first reported
	gone                map[string]time.Time // by host and kind: when it was last reported
}

func (d *drill) path(host string, name string) string { return filepath.Join(d.dir, host, name) }

// write appends text to a host's log.
func (d *drill) write(host string, text string) {
	d.Helper()
	f, err := os.OpenFile(d.path(host, "access.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		d.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // the test would miss the line
	if _, err := f.WriteString(text); err != nil {
		d.Fatal(err)
	}
}

func lineAt(at time.Time) string {
	return fmt.Sprintf("10.0.0.1 - - [%s] \"GET / HTTP/1.1\" 200 7\n", at.UTC().Format("02/Jan/2006:15:04:05 -0700"))
}

// certify issues a certificate for a host that expires after the duration left.
func (d *drill) certify(host string, left time.Duration) {
	d.Helper()
	d.ca.issueAs(d.T, d.path(host, ""), "own", func(c *x509.Certificate) {
		c.DNSNames, c.NotBefore, c.NotAfter = []string{host}, time.Now().Add(-90*24*time.Hour), time.Now().Add(left)
	})
}

func (d *drill) start(host string) {
	d.Helper()
	args := agentArgs(d.path(host, "data"), host, d.listen, d.path(host, "*.log"))
	args = append(args, "--tls-cert", d.path(host, "own.pem"), "--tls-key", d.path(host, "own.key"), "--tls-ca", d.ca.path)
	d.agents[host] = start(d.T, args...)
}

func (d *drill) kill(host string) {
	d.Helper()
	if err := d.agents[host].Process.Kill(); err != nil {
		d.Error(err)
	}
	d.agents[host].Wait() //nolint:errcheck // it was killed
}

// look returns the current health and records the reported problems in seen and gone. It returns
// nil if the collector did not answer.
func (d *drill) look() *monitor.Health {
	h := askHealth(d.T, d.status)
	if h == nil {
		return nil
	}
	note := func(host string, problems []monitor.Problem) {
		for _, p := range problems {
			key := host + " " + string(p.Kind)
			if _, known := d.seen[key]; !known {
				d.seen[key] = time.Now()
			}
			d.gone[key] = time.Now()
		}
	}
	note("", h.Process.Problems)
	for name, x := range h.Metrics {
		note(name, x.Problems)
	}
	return h
}

func (d *drill) await(what string, come func(h *monitor.Health) bool) {
	d.Helper()
	var last *monitor.Health
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(3 * time.Minute); ; {
		if h := d.look(); h != nil {
			if last = h; come(h) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			d.Fatalf("%s does not come: %s\n%s\n%s", what, strings.Join(last.Table(), "\n"), d.collector.output(d.T), d.seen)
		}
	}
}

// TestDrill injects faults into ten agents and a collector, all at the same time. Each must be
// reported with its host and cause, no other problem may be reported, and a repaired fault must
// disappear.
func TestDrill(t *testing.T) {
	t.Parallel()
	d := &drill{T: t, dir: t.TempDir(), listen: freeAddress(t), status: freeAddress(t), agents: map[string]*follower{}, seen: map[string]time.Time{}, gone: map[string]time.Time{}}
	d.ca = newAuthority(t, d.dir)
	data := filepath.Join(d.dir, "collector")
	d.setUp(data)
	if *longDrill {
		d.suspend()
	}
	faults := d.faults(data)
	for i := range faults {
		faults[i].injected = time.Now()
		faults[i].inject()
	}
	d.await("the naming of all faults", func(*monitor.Health) bool {
		return !slices.ContainsFunc(faults, func(f fault) bool { return d.seen[f.key()].IsZero() })
	})
	for i := range faults {
		if faults[i].repair != nil {
			faults[i].repaired = time.Now()
			faults[i].repair()
		}
	}
	d.await("the end of all faults", func(h *monitor.Health) bool {
		for _, f := range faults {
			if f.repair != nil && named(h, f) {
				return false
			}
		}
		return true
	})
	allowed := map[string]bool{}
	for _, f := range faults {
		ended := "no"
		if f.repair != nil {
			ended = fmt.Sprintf("after %.1f s", max(0, d.gone[f.key()].Sub(f.repaired).Seconds()))
		}
		t.Logf("%-48s named after %4.1f s as %-28s cleared by itself: %s", f.what, d.seen[f.key()].Sub(f.injected).Seconds(), cmp.Or(f.host, "collector")+" "+string(f.kind), ended)
		for _, kind := range append(f.also, f.kind) {
			allowed[f.host+" "+string(kind)] = true
		}
	}
	for key := range d.seen {
		if !allowed[key] {
			t.Errorf("%q is named without such a fault", key)
		}
	}
	for _, a := range d.agents {
		if err := a.end(t); err != nil {
			t.Error(err)
		}
	}
	if err := d.collector.end(t); err != nil {
		t.Error(err)
	}
}

// fault is a fault to inject, the problem that must be reported for it, and its repair.
type fault struct {
	what, host     string
	kind           monitor.ProblemKind
	also           []monitor.ProblemKind // other problems that it may cause
	inject, repair func()                // repair is nil if the problem remains
	injected       time.Time
	repaired       time.Time
}

func (f *fault) key() string { return f.host + " " + string(f.kind) }

func named(h *monitor.Health, f fault) bool {
	problems := h.Process.Problems
	if f.host != "" {
		problems = h.Metrics[f.host].Problems
	}
	return slices.ContainsFunc(problems, func(p monitor.Problem) bool { return p.Kind == f.kind })
}

// setUp starts the collector and ten agents, and waits until all ten are connected and have stored
// lines. web11 is expected but does not exist.
func (d *drill) setUp(data string) {
	d.Helper()
	if err := os.MkdirAll(d.path("c1", ""), 0o700); err != nil {
		d.Fatal(err)
	}
	f := d.ca.issueAs(d.T, d.path("c1", ""), "own", func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"c1"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	})
	args := append(collectorArgs(data, d.listen), "--status-listen", d.status, "--silent-after", "20s", "--max-lag", "10m", "--expect", "web01..web11",
		"--tls-cert", f.TLSCert, "--tls-key", f.TLSKey, "--tls-ca", d.ca.path)
	d.collector = start(d.T, args...)
	for i := range 10 {
		host := fmt.Sprintf("web%02d", i+1)
		if err := os.MkdirAll(d.path(host, ""), 0o700); err != nil {
			d.Fatal(err)
		}
		d.certify(host, 365*24*time.Hour)
		d.write(host, lineAt(time.Now()))
		d.start(host)
	}
	d.await("ten hosts", func(h *monitor.Health) bool {
		n := 0
		for _, x := range h.Metrics {
			if x.Connections == 1 && x.ClockOffsetSeconds != nil && x.StoredBytes > 0 {
				n++
			}
		}
		return n == 10
	})
	clear(d.seen)
}

// suspend stops all processes for longer than --silent-after, like a suspended machine, and checks
// that this is not reported as a problem.
func (d *drill) suspend() {
	d.Helper()
	all := []*follower{d.collector}
	for _, a := range d.agents {
		all = append(all, a)
	}
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		for _, p := range all {
			if err := p.Process.Signal(sig); err != nil {
				d.Fatal(err)
			}
		}
		if sig == syscall.SIGSTOP {
			<-time.After(30 * time.Second)
		}
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		d.look()
	}
	for key := range d.seen {
		if key != "web11 never_heard" {
			d.Errorf("%q is named because the machine was suspended", key)
		}
	}
	clear(d.seen)
}

func (d *drill) faults(data string) []fault {
	archive := filepath.Join(data, "archive")
	bad := strings.Repeat("shop.example.com 10.0.0.1 GET /\n", 30)
	return []fault{
		{what: "expected, and never connected", host: "web11", kind: monitor.NeverHeard, inject: func() {}, repair: func() {
			if err := os.MkdirAll(d.path("web11", ""), 0o700); err != nil {
				d.Fatal(err)
			}
			d.certify("web11", 365*24*time.Hour)
			d.write("web11", lineAt(time.Now()))
			d.start("web11")
		}},
		{what: "agent killed", host: "web01", kind: monitor.Silent, inject: func() { d.kill("web01") }, repair: func() { d.start("web01") }},
		{what: "LogFormat changed", host: "web02", kind: monitor.Unparsable, inject: func() { d.write("web02", bad) }, repair: func() { d.write("web02", lineAt(time.Now())) }},
		{what: "lines of a time zone's hours ahead", host: "web03", kind: monitor.FutureLines, inject: func() { d.write("web03", lineAt(time.Now().Add(5*time.Hour))) }, repair: func() { d.write("web03", lineAt(time.Now())) }},
		{what: "log rotated and deleted while the agent was dead", host: "web04", kind: monitor.Lost, inject: func() {
			d.kill("web04")
			d.write("web04", lineAt(time.Now()))
			if err := os.Remove(d.path("web04", "access.log")); err != nil {
				d.Fatal(err)
			}
			d.write("web04", strings.Replace(lineAt(time.Now()), "/ HTTP", "/new HTTP", 1))
			d.start("web04")
		}},
		{what: "certificate expires in 2 days", host: "web06", kind: monitor.Expired, inject: func() { d.certify("web06", 48*time.Hour); d.kill("web06"); d.start("web06") },
			repair: func() { d.certify("web06", 365*24*time.Hour); d.kill("web06"); d.start("web06") }},
		{what: "certificate expired", host: "web07", kind: monitor.Rejected, also: []monitor.ProblemKind{monitor.Silent}, inject: func() { d.certify("web07", -time.Hour); d.kill("web07"); d.start("web07") },
			repair: func() { d.certify("web07", 365*24*time.Hour) }},
		{what: "log that cannot be read", host: "web08", kind: monitor.Unreadable, inject: func() {
			if err := os.Symlink("loop.log", d.path("web08", "loop.log")); err != nil {
				d.Fatal(err)
			}
		}, repair: func() {
			if err := os.Remove(d.path("web08", "loop.log")); err != nil {
				d.Fatal(err)
			}
		}},
		{what: "archive that cannot be written", kind: monitor.SinkRetries, inject: func() {
			if err := os.Rename(archive, archive+".away"); err != nil {
				d.Fatal(err)
			}
			if err := os.WriteFile(archive, nil, 0o600); err != nil {
				d.Fatal(err)
			}
			d.write("web09", lineAt(time.Now()))
		}, repair: func() {
			if err := os.Remove(archive); err != nil {
				d.Fatal(err)
			}
			if err := os.Rename(archive+".away", archive); err != nil {
				d.Fatal(err)
			}
		}},
		{what: "agent crashes and restarts", host: "web05", kind: monitor.Restarts, also: []monitor.ProblemKind{monitor.Silent}, inject: func() {
			for i := range 5 {
				d.kill("web05")
				d.start("web05")
				d.await(fmt.Sprint("restart ", i), func(h *monitor.Health) bool { return h.Metrics["web05"].Restarts > i })
			}
		}},
	}
}

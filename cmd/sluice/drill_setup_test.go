package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/ingest/agent"
	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/tail"
	"sluice/monitor"
)

const aYear = 365 * 24 * time.Hour

// setUp starts the collectors and agents, and waits until all are connected and their lines received.
//
// c1 is the collector of web01 to web14; it expects web11, which does not exist, and its data is on
// a small disk. web16 prefers c2 and may fail over to c3, web15 is added at c3. c4 is added with
// a table in an HBase that is unavailable. The agent of web12 runs in this process.
func (d *drill) setUp() {
	d.Helper()
	d.ca = newAuthority(d.T, d.dir)
	older, current := versions(d.T, d.dir)
	d.program = [2]string{older, current}
	var limit []string
	d.data, limit = d.smallDisk()
	d.hbase = newDrillHBase(d.T)
	// web16 prefers c2.
	order := agent.Preference("web16", []string{freeAddress(d.T), freeAddress(d.T)})
	d.collector("c1", d.data, freeAddress(d.T), append(limit, "--max-lag", "10m", "--expect", "web01..web14")...)
	d.collector("c2", d.path("c2", "data"), order[0])
	d.collector("c3", d.path("c3", "data"), order[1], "--max-lag", patience())
	for i := range 14 {
		if host := fmt.Sprintf("web%02d", i+1); host != "web11" && host != "web12" {
			d.add(host)
		}
	}
	d.extra["web16"] = []string{"--collector", strings.Join(order, ","), "--failover-after", "1s"}
	d.add("web16")
	d.prepare("web12")
	d.clock(0)
	// An agent knows a log after a kill from the time at which the first lines of it are stored.
	d.growing = []string{"web04/access.log"}
	d.await("all hosts", func(all map[string]*monitor.Health) bool {
		n := 0
		for _, h := range all {
			for host, x := range h.Metrics {
				if x.Connections == 1 && x.ClockOffsetSeconds != nil && x.ReceivedBytes > 0 && (host != "web04" || x.StoredBytes > 0) {
					n++
				}
			}
		}
		return n == 14
	})
	d.growing = nil
	clear(d.seen)
}

// versions makes programs of an older and the current version: copies of this one with another
// version in the build information.
func versions(t *testing.T, dir string) (older, current string) {
	t.Helper()
	path, err := exec.LookPath("sluice")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const unknown = "\tsluice\t(devel)\t"
	if !bytes.Contains(binary, []byte(unknown)) {
		t.Fatalf("%s has no version %q", path, unknown)
	}
	var paths [2]string
	for i, v := range []string{"v1.02.0", "v1.04.0"} { // as long as (devel)
		paths[i] = filepath.Join(dir, v, "sluice")
		err := errors.Join(os.Mkdir(filepath.Dir(paths[i]), 0o700),
			os.WriteFile(paths[i], bytes.ReplaceAll(binary, []byte(unknown), []byte("\tsluice\t"+v+"\t")), 0o700))
		if err != nil {
			t.Fatal(err)
		}
	}
	return paths[0], paths[1]
}

// smallDisk returns a directory for the data of c1 on a disk of its own, and the arguments with the
// limit of its spool. It has no disk of its own if none can be mounted.
func (d *drill) smallDisk() (data string, limit []string) {
	d.Helper()
	if os.Geteuid() != 0 && os.Getenv("CI") == "" {
		d.Log("| the disk nearly full, the disk full | left out: a tmpfs cannot be mounted here (it needs root) |")
		return d.path("c1", "data"), nil
	}
	const size, spool = 256 << 20, 64 << 20
	disk, fill, free := smallDisk(d.T, size)
	filler := filepath.Join(disk, "filler")
	d.fillDisk, d.freeDisk = fill, free
	d.nearlyFillDisk = func() {
		var st syscall.Statfs_t
		d.must(syscall.Statfs(disk, &st))
		d.must(os.WriteFile(filler, make([]byte, int64(st.Bavail)*st.Bsize-spool/2), 0o600))
	}
	return filepath.Join(disk, "data"), []string{"--spool-max", fmt.Sprint(spool >> 20)}
}

// collector starts a collector with TLS.
func (d *drill) collector(name, data, listen string, more ...string) {
	d.Helper()
	d.must(os.MkdirAll(d.path(name, ""), 0o700))
	d.certify(name, aYear)
	c := &drillCollector{listen: listen, status: freeAddress(d.T)}
	c.args = append(collectorArgs(data, c.listen), "--status-listen", c.status, "--silent-after", patience(),
		"--tls-cert", d.path(name, "own.pem"), "--tls-key", d.path(name, "own.key"), "--tls-ca", d.path(name, "ca.pem"))
	c.args = append(c.args, more...)
	c.args[slices.Index(c.args, "--drain")+1] = "5s" // c4 ends without its table
	d.authority(name, 3*aYear)
	d.collectors[name] = c
	d.startCollector(name)
}

func (d *drill) startCollector(name string) {
	d.Helper()
	c := d.collectors[name]
	c.follower = d.startProgram(d.program[1], c.args...)
}

func (d *drill) startProgram(path string, args ...string) *follower {
	d.Helper()
	c := newFollower(d.T, args...)
	c.Path = path
	d.must(c.Start())
	return c
}

// certify issues a certificate for a host or a collector that expires after the duration left.
func (d *drill) certify(name string, left time.Duration) {
	d.Helper()
	d.ca.issueAs(d.T, d.path(name, ""), "own", func(c *x509.Certificate) {
		c.DNSNames, c.NotBefore, c.NotAfter = []string{name}, time.Now().Add(-90*24*time.Hour), time.Now().Add(left)
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	})
}

// authority writes the certificate of the authority for a collector. It expires after the duration
// left.
func (d *drill) authority(collector string, left time.Duration) {
	d.Helper()
	cert := *d.ca.cert
	cert.NotAfter = time.Now().Add(left)
	writePEM(d.T, d.path(collector, "ca.pem"), "CERTIFICATE", d.ca.sign(d.T, &cert, &d.ca.key.PublicKey))
}

// prepare makes the directory, the certificate and the first line of a host.
func (d *drill) prepare(host string) {
	d.Helper()
	d.must(os.MkdirAll(d.path(host, ""), 0o700))
	d.certify(host, aYear)
	d.write(host, lineAt(time.Now()))
}

// add starts the agent of a new host.
func (d *drill) add(host string) {
	d.Helper()
	d.prepare(host)
	d.start(host)
}

func (d *drill) start(host string) {
	d.Helper()
	args := agentArgs(d.path(host, "data"), host, d.collectors["c1"].listen, d.path(host, cmp.Or(d.only[host], "*.log")))
	args = append(args, "--tls-cert", d.path(host, "own.pem"), "--tls-key", d.path(host, "own.key"), "--tls-ca", d.ca.path)
	for _, x := range d.extra[host] { // a flag may be given once
		if k := slices.Index(args, x); k >= 0 && strings.HasPrefix(x, "--") {
			args = slices.Delete(args, k, k+2)
		}
	}
	program := d.program[1]
	if d.older[host] {
		program = d.program[0]
	}
	d.agents[host] = d.startProgram(program, append(args, d.extra[host]...)...)
}

func (d *drill) kill(p *follower) {
	d.Helper()
	if err := p.Process.Kill(); err != nil {
		d.Error(err)
	}
	p.Wait() //nolint:errcheck // it was killed
}

func (d *drill) restart(host string, extra ...string) {
	d.Helper()
	d.kill(d.agents[host])
	d.extra[host] = extra
	d.start(host)
}

// clock starts the agent of web12, or restarts it, on a host whose clock is ahead. It runs in this
// process, because the clock of a process cannot be set.
func (d *drill) clock(ahead time.Duration) {
	d.Helper()
	if d.endClock != nil {
		d.endClock()
	}
	d.write("web12", lineAt(time.Now().Add(ahead)))
	file, err := checkpoint.Open(vfs.OS{}, d.path("web12", "checkpoint"), "agent")
	d.must(err)
	t := tlsFlags{TLSCert: d.path("web12", "own.pem"), TLSKey: d.path("web12", "own.key"), TLSCA: d.ca.path}
	certificates, err := t.files(false)
	d.must(err)
	log := slog.New(slog.DiscardHandler)
	now := func() time.Time { return time.Now().Add(ahead) }
	a := agent.New(agent.Config{
		Collectors: []string{d.collectors["c1"].listen}, Checkpoint: file, Name: "test", WindowBytes: 1 << 20, Dial: certificates.dial,
		Heartbeat: heartbeat, Drain: time.Second, Log: log, Now: now,
		Tail: tail.Config{Sources: []tail.Source{{Pattern: d.path("web12", "*.log"), Format: "common"}}, Host: "web12", Latency: 100 * time.Millisecond, Log: log, Now: now},
	})
	d.endClock = inBackground(d.T, a.Run)
}

// inBackground calls run in a goroutine. end ends it and waits.
func inBackground(t *testing.T, run func(ctx context.Context) error) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

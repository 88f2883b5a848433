package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"sluice/bench/measure"
	"sluice/hbase"
	"sluice/monitor"
)

// process is a running process of sluice.
type process struct {
	what  string
	cmd   *exec.Cmd
	errs  bytes.Buffer
	ended chan error
}

func (m *pathMeasurement) start(ctx context.Context, what string, args ...string) (*process, error) {
	p := &process{what: what, cmd: m.Command(ctx, args...), ended: make(chan error, 1)}
	p.cmd.Stderr = &p.errs
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p, nil
}

// stop stops it with SIGTERM, and returns its usage since the start.
func (p *process) stop() (u measure.Usage, err error) {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return u, err
	}
	if err := <-p.ended; err != nil {
		return u, fmt.Errorf("%s: %w: %s", p.what, err, bytes.TrimSpace(p.errs.Bytes()))
	}
	u, _ = measure.UsageOf(p.cmd.ProcessState)
	return u, nil
}

// table creates an empty table, and returns its name and a function that removes it and the
// archive, a directory of the same name.
func (m *pathMeasurement) table(ctx context.Context, layout string) (name string, drop func() error, err error) {
	m.tables++
	name = fmt.Sprintf("bench_path_%d_%d", time.Now().UnixNano(), m.tables)
	url := "hbase://" + m.env["ZOOKEEPER"] + "/" + name
	if out, err := m.Command(ctx, "schema", "apply", "--table", url, "--layout", layout).CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("make the table: %w: %s", err, bytes.TrimSpace(out))
	}
	return name, func() error {
		ctx := context.WithoutCancel(ctx)
		return errors.Join(withAdmin(url, func(a *hbase.Admin) error { return a.Drop(ctx) }), m.Cluster.Remove(ctx, "/"+name))
	}, nil
}

// sluiceWay returns the way with agents and one collector of sluice, with a table of a layout.
func sluiceWay(layout string) pathWay {
	return func(ctx context.Context, m *pathMeasurement, dir string, hosts []string) (r pathRound, err error) {
		name, drop, err := m.table(ctx, layout)
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, drop()) }()
		table := "hbase://" + m.env["ZOOKEEPER"] + "/" + name
		archive := "hdfs://" + m.env["NAMENODE"] + "/" + name + "/%Y%m%d/%{host}"
		address, err := freeAddress()
		if err != nil {
			return r, err
		}
		status, err := freeAddress()
		if err != nil {
			return r, err
		}
		life, end := context.WithCancel(ctx) // for processes that are left after an error
		defer end()
		collector, err := m.start(life, "collector", "collector", "--quiet", "--data", filepath.Join(dir, "collector"), "--listen", address,
			"--status-listen", status, "--table", table, "--archive", archive, "--drain", "15m")
		if err != nil {
			return r, err
		}
		if err := collector.listens(ctx, address); err != nil {
			return r, err
		}
		began := time.Now()
		agents, err := m.agents(life, address, dir, hosts)
		if err != nil {
			return r, err
		}
		sent, err := logBytes(dir, hosts)
		if err != nil {
			return r, err
		}
		received := func() (int64, error) { return receivedBytes(ctx, status) }
		if err := awaitLines(ctx, sent, runnerPoll/4, runnerStalls, received); err != nil {
			return r, err
		}
		for _, a := range agents {
			u, err := a.stop()
			if err != nil {
				return r, err
			}
			r.agents += u.CPU
			r.agentPeak = max(r.agentPeak, u.PeakBytes)
		}
		u, err := collector.stop()
		if err != nil {
			return r, err
		}
		r.wall, r.collector, r.collectorPeak = time.Since(began), u.CPU, u.PeakBytes
		return r, m.complete(ctx, table, archive)
	}
}

// agents starts an agent for each host, without a CPU budget.
func (m *pathMeasurement) agents(ctx context.Context, collector, dir string, hosts []string) (all []*process, err error) {
	addresses, err := relays(ctx, len(hosts), collector)
	if err != nil {
		return nil, err
	}
	for i, host := range hosts {
		a, err := m.start(ctx, host, "agent", "--quiet", "--data", filepath.Join(dir, host+".data"), "--host", host, "--collector", addresses[i],
			"--format", "combined", "--cpu", "0", "--no-nice", "--compression", m.Compression, filepath.Join(dir, host, "*.log"))
		if err != nil {
			return all, err
		}
		all = append(all, a)
	}
	return all, nil
}

// logBytes returns the total length of the hosts' logs.
func logBytes(dir string, hosts []string) (sum int64, err error) {
	for _, host := range hosts {
		n, err := measure.DirBytes(filepath.Join(dir, host))
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// receivedBytes returns the number of bytes that the collector has received, from its /health: the
// agents' own status is some seconds old.
func receivedBytes(ctx context.Context, address string) (sum int64, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var h monitor.Health
	if err := json.NewDecoder(answer.Body).Decode(&h); err != nil {
		return 0, fmt.Errorf("the collector's /health: %w", err)
	}
	for _, host := range h.Metrics {
		sum += host.Bytes
	}
	return sum, nil
}

// listens waits until the process accepts connections.
func (p *process) listens(ctx context.Context, address string) error {
	tick := time.NewTicker(runnerPoll)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < runnerStarts; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-p.ended:
			return fmt.Errorf("%s ended: %w: %s", p.what, err, bytes.TrimSpace(p.errs.Bytes()))
		case <-tick.C:
			if c, err := net.Dial("tcp", address); err == nil {
				return c.Close()
			}
		}
	}
	return fmt.Errorf("%s does not listen at %s after %s", p.what, address, runnerStarts)
}

// complete checks the number of lines in table and archive.
func (m *pathMeasurement) complete(ctx context.Context, table, archive string) error {
	out, err := m.Command(ctx, "scan", "--count", "--table", table).Output()
	if err != nil {
		return fmt.Errorf("count the rows: %w", err)
	}
	rows, err := strconv.ParseInt(string(bytes.TrimSpace(out)), 10, 64)
	if err != nil {
		return err
	}
	if err := measure.CheckCount("rows in the table", rows, int64(m.Lines)); err != nil {
		return err
	}
	cat := m.Command(ctx, "archive", "cat", archive)
	lines := &lineCounter{}
	cat.Stdout = lines
	if err := cat.Run(); err != nil {
		return fmt.Errorf("count the archive's lines: %w", err)
	}
	return measure.CheckCount("lines in the archive", lines.n, int64(m.Lines))
}

// lineCounter is a writer that counts lines.
type lineCounter struct{ n int64 }

func (c *lineCounter) Write(b []byte) (int, error) {
	c.n += int64(bytes.Count(b, []byte("\n")))
	return len(b), nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

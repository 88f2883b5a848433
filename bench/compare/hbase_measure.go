package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sluice/bench/measure"
	"sluice/bench/peers"
	"sluice/hbase"
	"sluice/schema"
)

// hbaseMeasurement is the state of MeasureHBase.
type hbaseMeasurement struct {
	cfg       *HBaseConfig
	zookeeper string
	servers   []int // process ids
	dataNodes []int
	classes   string
	helper    *hbaseClient // a Java client that flushes tables
	tables    int          // number of tables created

	// The current layout:
	layout  schema.Layout
	rowFile string
	rows    int64
	first   hbaseReply // the first pass; others must have the same counts
}

func (m *hbaseMeasurement) prepare(ctx context.Context) (err error) {
	if m.zookeeper, err = m.cfg.Cluster.ZooKeeper(ctx); err != nil {
		return err
	}
	if m.servers, err = m.cfg.Cluster.RegionServers(ctx); err != nil {
		return err
	}
	if m.dataNodes, err = m.cfg.Cluster.DataNodes(ctx); err != nil {
		return err
	}
	m.classes = filepath.Join(m.cfg.Dir, "classes")
	if err := os.Mkdir(m.classes, 0o700); err != nil {
		return err
	}
	return m.cfg.Cluster.CompileHBase(ctx, m.classes)
}

// measure measures one layout: all writers in turn, then all scanners.
func (m *hbaseMeasurement) measure(ctx context.Context, layout schema.Layout) (l *HBaseLayout, err error) {
	m.layout, m.rowFile, m.first = layout, filepath.Join(m.cfg.Dir, "rows"), hbaseReply{}
	m.cfg.Say(layout.Name + ": a file of rows for Java")
	if err := writeRowFile(m.rowFile, m.cfg.Log, m.cfg.Format, layout); err != nil {
		return nil, err
	}
	l = &HBaseLayout{Name: layout.Name, Compression: m.cfg.Compression}
	kind := hbaseClientKind{name: "java-helper", java: true}
	if m.helper, err = startHBaseClient(kind, m.command(ctx, kind), "rows\t"+m.rowFile); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.helper.stop()) }()
	last, err := m.writes(ctx, l)
	if err == nil {
		err = m.scans(ctx, l, last)
	}
	return l, errors.Join(err, m.drop(ctx, last))
}

// hbaseTurn is a client and its passes, without the first.
type hbaseTurn struct {
	client        *hbaseClient
	passes, makes []hbasePass
	cold          time.Duration // CPU time from the start of the process to the end of its first pass
	diskBytes     float64       // a row, after the last pass
	compaction    *HBaseCompaction
}

// start starts the configured clients for which can is true.
func (m *hbaseMeasurement) start(ctx context.Context, what string, can func(hbaseClientKind) bool) (turns []*hbaseTurn, err error) {
	for _, name := range m.cfg.Clients {
		kind, err := hbaseClientOf(name)
		if err != nil {
			return turns, err
		}
		if !can(kind) {
			continue
		}
		rows := "rows\t" + m.rowFile
		if !kind.java {
			rows = "rows\t" + m.cfg.Log + "\t" + m.cfg.Format + "\t" + m.rowFile
		}
		c, err := startHBaseClient(kind, m.command(ctx, kind), rows)
		if err != nil {
			return turns, err
		}
		turns = append(turns, &hbaseTurn{client: c})
		if m.cfg.CPUProfile != "" && !kind.java {
			if _, err := c.ask("profile\t" + m.cfg.CPUProfile + "-" + m.layout.Name + "-" + what); err != nil {
				return turns, err
			}
		}
	}
	return turns, nil
}

func (m *hbaseMeasurement) command(ctx context.Context, kind hbaseClientKind) *exec.Cmd {
	if kind.java {
		return m.cfg.Cluster.HBaseJava(ctx, m.classes)
	}
	return m.cfg.Spawn(ctx)
}

func stopAll(turns []*hbaseTurn) error {
	var errs []error
	for _, t := range turns {
		errs = append(errs, t.client.stop())
	}
	return errors.Join(errs...)
}

// inTurn calls do for each client once as a warm-up, and then in each round, beginning with another
// client each time.
func (m *hbaseMeasurement) inTurn(turns []*hbaseTurn, what string, do func(t *hbaseTurn, round int) error) error {
	for round := range m.cfg.Rounds + 1 {
		for i := range turns {
			t := turns[(i+round)%len(turns)]
			m.cfg.Say(fmt.Sprintf("%s: %s %s, round %d of %d", m.layout.Name, t.client.kind.name, what, round, m.cfg.Rounds))
			if err := do(t, round); err != nil {
				return err
			}
		}
	}
	return nil
}

// writes measures writing. Each pass writes to a new table; the last one is kept and returned.
func (m *hbaseMeasurement) writes(ctx context.Context, l *HBaseLayout) (last string, err error) {
	turns, err := m.start(ctx, "write", func(k hbaseClientKind) bool { return k.write != "" })
	defer func() { err = errors.Join(err, stopAll(turns)) }()
	if err != nil {
		return "", err
	}
	err = m.inTurn(turns, "writes", func(t *hbaseTurn, round int) error {
		if err := m.drop(ctx, last); err != nil {
			return err
		}
		last = fmt.Sprintf("bench%d_%d", os.Getpid(), m.tables)
		m.tables++
		if err := m.write(ctx, l, t, last, round); err != nil || round < m.cfg.Rounds {
			return err
		}
		return m.afterwards(ctx, t, last)
	})
	if err != nil {
		return last, err
	}
	for _, t := range turns {
		w := &HBaseWrite{Client: t.client.kind.name, ColdCPU: measure.PerMillion(t.cold, m.rows)}
		w.RowsPerSec, w.CPU, w.ServersCPU = m.costs(t.passes)
		w.DataNodesCPU = measure.CostOf(t.passes, func(p hbasePass) float64 { return measure.PerMillion(p.used.dataNodes, m.rows) })
		w.DiskBytes, w.Compaction = t.diskBytes, t.compaction
		l.DiskBytes = t.diskBytes
		w.MakeCPU = measure.CostOf(t.makes, func(p hbasePass) float64 { return measure.PerMillion(p.cpu, m.rows) })
		w.Allocs = m.allocs(t.passes)
		if w.PeakBytes, err = measure.PeakBytes(t.client.pid); err != nil {
			return last, err
		}
		l.Writes = append(l.Writes, w)
	}
	return last, nil
}

// write fills a table with a client, and flushes it.
func (m *hbaseMeasurement) write(ctx context.Context, l *HBaseLayout, t *hbaseTurn, name string, round int) error {
	if err := m.create(ctx, name); err != nil {
		return err
	}
	before, err := m.serverCPU()
	if err != nil {
		return err
	}
	p, err := t.client.timed(t.client.kind.write + "\t" + m.tableFor(t, name))
	if err != nil {
		return err
	}
	if round == 0 {
		if t.cold, err = peers.CPU(t.client.pid); err != nil {
			return err
		}
	}
	if _, err := m.helper.ask("flush\t" + name); err != nil {
		return err
	}
	if p.used, err = m.serverCPUSince(before); err != nil {
		return err
	}
	made := hbasePass{cpu: p.reply.Encode}
	p.cpu -= p.reply.Encode
	if t.client.kind.java {
		if made, err = t.client.timed("make"); err != nil {
			return err
		}
	}
	if err := m.sameRows(l, t, p.reply); err != nil || round == 0 {
		return err
	}
	t.passes, t.makes = append(t.passes, p), append(t.makes, made)
	return nil
}

// sameRows returns an error if a client has written or read other counts than the first.
func (m *hbaseMeasurement) sameRows(l *HBaseLayout, t *hbaseTurn, r hbaseReply) error {
	if m.first == (hbaseReply{}) {
		m.first, m.rows = r, r.Rows
		l.CellsPerRow = float64(r.Cells) / float64(max(r.Rows, 1))
		l.ValueBytes = float64(r.Bytes) / float64(max(r.Rows, 1))
	}
	name := t.client.kind.name
	return errors.Join(measure.CheckCount(name+": rows", r.Rows, m.first.Rows), measure.CheckCount(name+": cells", r.Cells, m.first.Cells),
		measure.CheckCount(name+": bytes", r.Bytes, m.first.Bytes))
}

// scans measures reading a whole table.
func (m *hbaseMeasurement) scans(ctx context.Context, l *HBaseLayout, name string) (err error) {
	turns, err := m.start(ctx, "scan", func(k hbaseClientKind) bool { return k.scan != "" })
	defer func() { err = errors.Join(err, stopAll(turns)) }()
	if err != nil {
		return err
	}
	err = m.inTurn(turns, "scans", func(t *hbaseTurn, round int) error {
		before, err := m.serverCPU()
		if err != nil {
			return err
		}
		p, err := t.client.timed(t.client.kind.scan + "\t" + m.tableFor(t, name))
		if err != nil {
			return err
		}
		p.used, err = m.serverCPUSince(before)
		if err := errors.Join(err, m.sameRows(l, t, p.reply)); err != nil || round == 0 {
			return err
		}
		t.passes = append(t.passes, p)
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range turns {
		s := &HBaseScan{Client: t.client.kind.name}
		s.RowsPerSec, s.CPU, s.ServersCPU = m.costs(t.passes)
		s.Allocs = m.allocs(t.passes)
		if s.PeakBytes, err = measure.PeakBytes(t.client.pid); err != nil {
			return err
		}
		l.Scans = append(l.Scans, s)
	}
	return nil
}

func (m *hbaseMeasurement) costs(passes []hbasePass) (rowsPerSec, cpu, servers measure.Cost) {
	seconds := measure.CostOf(passes, func(p hbasePass) float64 { return measure.PerMillion(p.wall, m.rows) })
	rowsPerSec = measure.Cost{Median: 1e6 / seconds.Median, Min: 1e6 / seconds.Min}
	cpu = measure.CostOf(passes, func(p hbasePass) float64 { return measure.PerMillion(p.cpu, m.rows) })
	return rowsPerSec, cpu, measure.CostOf(passes, func(p hbasePass) float64 { return measure.PerMillion(p.used.regionServers, m.rows) })
}

// allocs returns the number of allocations for each row, in all passes.
func (m *hbaseMeasurement) allocs(passes []hbasePass) float64 {
	n := int64(0)
	for _, p := range passes {
		n += p.reply.Allocs
	}
	return float64(n) / float64(max(m.rows*int64(len(passes)), 1))
}

// tableFor returns the parameter for a table in a client's request.
func (m *hbaseMeasurement) tableFor(t *hbaseTurn, name string) string {
	if t.client.kind.java {
		return name
	}
	return m.url(name)
}

func (m *hbaseMeasurement) url(name string) string {
	return hbase.SchemeZooKeeper + "://" + m.zookeeper + "/" + name
}

// clusterWait is how long a cluster that does not answer is retried.
const clusterWait = time.Minute

func withAdmin(url string, do func(*hbase.Admin) error) error {
	u, err := hbase.ParseURL(url)
	if err != nil {
		return err
	}
	a := hbase.OpenAdmin(u, hbase.Options{Wait: clusterWait})
	return errors.Join(do(a), a.Close())
}

func (m *hbaseMeasurement) create(ctx context.Context, name string) error {
	return withAdmin(m.url(name), func(a *hbase.Admin) error {
		_, _, err := a.Create(ctx, hbase.Creation{Layout: m.layout, Compression: m.cfg.Compression})
		return err
	})
}

// drop drops a table, unless the name is empty.
func (m *hbaseMeasurement) drop(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	return withAdmin(m.url(name), func(a *hbase.Admin) error { return a.Drop(ctx) })
}

func (m *hbaseMeasurement) diskBytes(ctx context.Context, name string) (float64, error) {
	size, err := m.cfg.Cluster.TableBytes(ctx, name)
	return float64(size) / float64(max(m.rows, 1)), err
}

package soak

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sluice/hbase"
	"sluice/schema"
	"sluice/test/cluster"
)

// config is the parameters of a soak.
type config struct {
	cluster *cluster.Cluster
	journal *journal
	// dir is an empty directory for references and logs.
	dir string
	// binary is the path of sluice.
	binary string
	seed   uint64
	length time.Duration
	layout schema.Layout
	// maxLogs limits the size of the table, in logs of 50,000 lines.
	maxLogs int
	// plan is the events; nil: drawn from seed.
	plan []event
	// replay is the text of a plan (see parsePlan) that is run instead.
	replay string
	// draw makes the plan of a soak whose faults depend on its own processes.
	draw func(own []fault) []event
}

// soakTable tests the table on HBase: a writer and a reader, each with its own client, and the program,
// which fills another table and is killed.
func soakTable(ctx context.Context, c config) (err error) {
	text := fmt.Sprintf("hbase://%s/soak_%d_%d", c.cluster.ZooKeeper, c.seed, time.Now().UnixNano())
	url, err := hbase.ParseURL(text)
	if err != nil {
		return err
	}
	admin, err := c.create(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	command, err := c.command(ctx, text+"_run")
	if err != nil {
		return err
	}
	var tables [2]*hbase.Table
	for i, who := range []string{"writer", "reader"} {
		t, err := hbase.Open(ctx, url, c.options(who))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, t.Close()) }()
		tables[i] = t
	}
	logs := &logs{layout: c.layout}
	plan, err := c.events(hbaseFaults(c.seed))
	if err != nil {
		return err
	}
	writer := &writer{logs: logs, table: tables[0], seed: c.seed, maxLogs: c.maxLogs}
	reader := &reader{logs: logs, table: tables[1], seed: c.seed}
	pace := &pace{journal: c.journal, writer: writer, reader: reader, command: command}
	soak := &scenario{
		world:       &world{cluster: c.cluster, admin: admin, key: func(n uint64) []byte { return logs.key(c.layout, n) }, journal: c.journal},
		plan:        plan,
		length:      c.length,
		loads:       []load{writer, reader, command},
		everySecond: pace.watch,
		report:      pace.report,
		last:        atLeastOneSplit,
		done:        logs.puts.Load,
		checks: []check{
			{"rows and cells are those of the logs", func(ctx context.Context) error { return same(ctx, logs, tables[1]) }},
			{"the program's rows are those of its logs", command.check},
			{"nothing is tried again any more", func(context.Context) error { return quiet(tables[:]) }},
			{"memory is bounded", func(context.Context) error { return pace.bounded() }},
		},
	}
	return soak.Run(ctx)
}

func (c config) options(who string) hbase.Options {
	return hbase.Options{Logger: c.journal.logger(who)}
}

// create creates a table.
func (c config) create(ctx context.Context, url hbase.URL) (*hbase.Admin, error) {
	admin := hbase.OpenAdmin(url, c.options("admin"))
	if _, _, err := admin.Create(ctx, hbase.Creation{Layout: c.layout}); err != nil {
		return nil, errors.Join(err, admin.Close())
	}
	return admin, nil
}

// command creates the table of the program.
func (c config) command(ctx context.Context, text string) (*command, error) {
	url, err := hbase.ParseURL(text)
	if err != nil {
		return nil, err
	}
	admin, err := c.create(ctx, url)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.dir, "command")
	if err := errors.Join(admin.Close(), os.Mkdir(dir, 0o700)); err != nil {
		return nil, err
	}
	return &command{
		program: program{binary: c.binary, data: filepath.Join(dir, "data")},
		dir:     dir, table: url, url: text, options: c.options("check"), layout: c.layout.Name, seed: c.seed, hosts: []string{"web01"},
	}, nil
}

// key returns a key that a row may have: with any salt, in the hours written so far.
func (l *logs) key(layout schema.Layout, n uint64) []byte {
	rng := rand.New(rand.NewPCG(n, 4))
	log := l.pick(rng)
	if log == nil {
		log = newLog(0, 0) // the first log, which is being written
	}
	salt := byte(rng.IntN(max(1, layout.Salts)))
	return binary.BigEndian.AppendUint64([]byte{salt}, uint64(log.start.Add(below(rng, 4*time.Minute)).UnixNano()))
}

// same compares the whole table with the reference, and its rows with the lines.
func same(ctx context.Context, logs *logs, table *hbase.Table) error {
	rows, err := sameLines(ctx, logs, table, schema.Scan{})
	if lines := logs.lines.Load(); err == nil && rows != lines {
		err = fmt.Errorf("%d rows of %d lines", rows, lines)
	}
	return err
}

func quiet(tables []*hbase.Table) error {
	for _, t := range tables {
		if state := t.State(); len(state) > 0 {
			return fmt.Errorf("%+v", state)
		}
	}
	return nil
}

// maxRSSBytes limits the memory of the soak process: two clients, and text and rows of a few logs.
// It is not checked with the race detector, which needs several times as much; that of the program
// is.
const maxRSSBytes = 512 << 20

// maxCommandRSSBytes limits the memory of the program.
const maxCommandRSSBytes = 128 << 20

// pace records the speed of the loads.
type pace struct {
	journal *journal
	writer  *writer
	reader  *reader
	command *command

	seconds, still, longest int
	puts                    int64
}

const tellEverySeconds = 15

func (p *pace) watch() {
	p.seconds++
	p.command.watch()
	puts := p.writer.logs.puts.Load()
	if puts > p.puts {
		p.still = 0
	} else {
		p.still++
		p.longest = max(p.longest, p.still)
	}
	p.puts = puts
	if p.seconds%tellEverySeconds == 0 {
		p.report()
	}
}

func (p *pace) report() {
	p.journal.say("pace", fmt.Sprintf("%d lines in %d rows put, longest without a put %d s; %d rows compared in %d scans; at most %d MiB resident; the program ran %d times, killed %d, at most %d MiB; writer %s",
		p.writer.logs.lines.Load(), p.puts, p.longest, p.reader.rows.Load(), p.reader.scans.Load(), peakRSSBytes("self")>>20,
		p.command.runs.Load(), p.command.kills.Load(), p.command.peakRSSBytes>>20, retries(p.writer.table)))
}

func retries(t *hbase.Table) string {
	state := t.State()
	if len(state) == 0 {
		return "is well"
	}
	return fmt.Sprintf("tries %s, %d times since %s: %v", state[0].What, state[0].Attempts, time.Since(state[0].Since).Round(time.Second), state[0].Err)
}

func (p *pace) bounded() error {
	if rss := peakRSSBytes("self"); rss > maxRSSBytes && !raceDetector {
		return fmt.Errorf("%d MiB were resident", rss>>20)
	}
	if rss := p.command.peakRSSBytes; rss > maxCommandRSSBytes {
		return fmt.Errorf("the program had %d MiB resident", rss>>20)
	}
	return nil
}

// peakRSSBytes returns the peak resident memory of a process, or of "self"; 0 if it has ended or
// the kernel does not report it.
func peakRSSBytes(pid string) int64 {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, _ := strconv.ParseInt(fields[0], 10, 64)
	return kilobytes << 10
}

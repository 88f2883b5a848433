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

// Config is the parameters of a soak.
type Config struct {
	Cluster *cluster.Cluster
	Journal *Journal
	// Dir is an empty directory for references and logs.
	Dir string
	// Binary is the path of sluice.
	Binary string
	Seed   uint64
	Length time.Duration
	Layout schema.Layout
	// MaxLogs limits the size of the table, in logs of 50,000 lines.
	MaxLogs int
	// Plan is the events; nil: drawn from Seed.
	Plan []Event
	// Replay is the text of a plan (see ParsePlan) that is run instead.
	Replay string
	// Draw makes the plan of a soak whose faults depend on its own processes.
	Draw func(own []Fault) []Event
}

// Table tests the table on HBase: a writer and a reader, each with its own client, and the program,
// which fills another table and is killed.
func Table(ctx context.Context, c Config) (err error) {
	text := fmt.Sprintf("hbase://%s/soak_%d_%d", c.Cluster.ZooKeeper, c.Seed, time.Now().UnixNano())
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
	logs := &Logs{Layout: c.Layout}
	plan, err := c.events(HBaseFaults(c.Seed))
	if err != nil {
		return err
	}
	writer := &Writer{Logs: logs, Table: tables[0], Seed: c.Seed, MaxLogs: c.MaxLogs}
	reader := &Reader{Logs: logs, Table: tables[1], Seed: c.Seed}
	pace := &pace{journal: c.Journal, writer: writer, reader: reader, command: command}
	soak := &Soak{
		World:  &World{Cluster: c.Cluster, Admin: admin, Key: func(n uint64) []byte { return logs.key(c.Layout, n) }, Journal: c.Journal},
		Plan:   plan,
		Length: c.Length,
		Loads:  []Load{writer, reader, command},
		Watch:  pace.watch,
		Report: pace.report,
		Last:   atLeastOneSplit,
		Done:   logs.puts.Load,
		Checks: []Check{
			{"rows and cells are those of the logs", func(ctx context.Context) error { return same(ctx, logs, tables[1]) }},
			{"the program's rows are those of its logs", command.check},
			{"nothing is tried again any more", func(context.Context) error { return quiet(tables[:]) }},
			{"memory is bounded", func(context.Context) error { return pace.bounded() }},
		},
	}
	return soak.Run(ctx)
}

func (c Config) options(who string) hbase.Options {
	return hbase.Options{Logger: c.Journal.Logger(who)}
}

// create creates a table.
func (c Config) create(ctx context.Context, url hbase.URL) (*hbase.Admin, error) {
	admin := hbase.OpenAdmin(url, c.options("admin"))
	if _, _, err := admin.Create(ctx, hbase.Creation{Layout: c.Layout}); err != nil {
		return nil, errors.Join(err, admin.Close())
	}
	return admin, nil
}

// command creates the table of the program.
func (c Config) command(ctx context.Context, text string) (*Command, error) {
	url, err := hbase.ParseURL(text)
	if err != nil {
		return nil, err
	}
	admin, err := c.create(ctx, url)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.Dir, "command")
	if err := errors.Join(admin.Close(), os.Mkdir(dir, 0o700)); err != nil {
		return nil, err
	}
	return &Command{
		Program: Program{Binary: c.Binary, Data: filepath.Join(dir, "data")},
		Dir:     dir, Table: url, URL: text, Options: c.options("check"), Layout: c.Layout.Name, Seed: c.Seed, Hosts: []string{"web01"},
	}, nil
}

// key returns a key that a row may have: with any salt, in the hours written so far.
func (l *Logs) key(layout schema.Layout, n uint64) []byte {
	rng := rand.New(rand.NewPCG(n, 4))
	log := l.pick(rng)
	if log == nil {
		log = newLog(0, 0) // the first log, which is being written
	}
	salt := byte(rng.IntN(max(1, layout.Salts)))
	return binary.BigEndian.AppendUint64([]byte{salt}, uint64(log.start.Add(below(rng, 4*time.Minute)).UnixNano()))
}

// same compares the whole table with the reference, and its rows with the lines.
func same(ctx context.Context, logs *Logs, table *hbase.Table) error {
	rows, err := Same(ctx, logs, table, schema.Scan{})
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
	journal *Journal
	writer  *Writer
	reader  *Reader
	command *Command

	seconds, still, longest int
	puts                    int64
}

const tellEverySeconds = 15

func (p *pace) watch() {
	p.seconds++
	p.command.watch()
	puts := p.writer.Logs.puts.Load()
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
	p.journal.Say("pace", fmt.Sprintf("%d lines in %d rows put, longest without a put %d s; %d rows compared in %d scans; at most %d MiB resident; the program ran %d times, killed %d, at most %d MiB; writer %s",
		p.writer.Logs.lines.Load(), p.puts, p.longest, p.reader.rows.Load(), p.reader.scans.Load(), peakRSSBytes("self")>>20,
		p.command.runs.Load(), p.command.kills.Load(), p.command.peakRSSBytes>>20, retries(p.writer.Table)))
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

package soak

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/archive"
	"sluice/hbase"
	"sluice/hdfs"
)

// maxCollectorRSSBytes limits the memory of the program with all sinks: 24 MiB of rows in the HBase
// writer, 10 MiB of lines and rows in its queue, the same again as garbage, and 60 MiB for
// everything else, including open Parquet files.
const maxCollectorRSSBytes = 128 << 20

// diskBytes is the size of the disk with the data directories of both programs.
const diskBytes = 96 << 20

// Archive tests the archive in HDFS, with a table on HBase and a columnar table in HDFS: a program
// with --once and one that follows a log, each with a data directory on a small disk, are killed
// while daemons fail and the disk is full.
func Archive(ctx context.Context, c Config) (err error) {
	run, err := c.archive(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.close()) }()
	plan, err := c.events(ArchiveFaults(c.Seed, run.disk))
	if err != nil {
		return err
	}
	once, follower, a := run.once, run.follower, run.archived
	soak := &Soak{
		World:  &World{Cluster: c.Cluster, Journal: c.Journal},
		Plan:   plan,
		Length: c.Length,
		Loads:  []Load{once, follower},
		Watch:  run.watch,
		Report: run.report,
		Last:   run.disk.atLeastOnceFull,
		Done:   func() int64 { return once.runs.Load() - once.kills.Load() - once.gaveUp.Load() },
		Checks: []Check{
			{"no segment is left in the spools", a.emptySpools},
			{"no temporary file and no open lease is left", a.tidy},
			{"for every host and day the archive has the logs' lines", a.lines},
			{"Hadoop reads the same", a.hadoop},
			{"members are whole, ranges meet", a.sound},
			{"the table has a row for each line", run.rows},
			{"sluice audit finds no difference", func(ctx context.Context) error { return run.audit(ctx, run.stores...) }},
			{"the columnar table has each line once", run.columns},
			{"memory is bounded", func(context.Context) error { return run.bounded() }},
		},
	}
	return soak.Run(ctx)
}

// archiveRun is the state of a running soak of the archive.
type archiveRun struct {
	Config
	disk     *Disk // nil: no permission to mount one
	once     *Command
	follower *Follower
	archived *archived
	stores   []string // flags that name table and archive
	columnar []string // the same for the columnar table
	seconds  int
}

// archive prepares the soak.
func (c Config) archive(ctx context.Context) (r *archiveRun, err error) {
	r = &archiveRun{Config: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	name := fmt.Sprintf("soak_%d_%d", c.Seed, time.Now().UnixNano())
	text := fmt.Sprintf("hbase://%s/%s", c.Cluster.ZooKeeper, name)
	url, err := hbase.ParseURL(text)
	if err != nil {
		return r, err
	}
	if err := c.createTable(ctx, url); err != nil {
		return r, err
	}
	dirs := map[string]string{}
	for _, d := range []string{"disk", "once", "follow"} {
		dirs[d] = filepath.Join(c.Dir, d)
		if err := os.Mkdir(dirs[d], 0o700); err != nil {
			return r, err
		}
	}
	excuse := r.mount(dirs["disk"])
	archive := fmt.Sprintf("%s%s/%s/%%Y%%m%%d/%%{host}", hdfs.Scheme, c.Cluster.NameNode, name)
	columns := fmt.Sprintf("parquet:%s%s/%s-columns", hdfs.Scheme, c.Cluster.NameNode, name)
	flags := []string{"--archive", archive, "--archive-timeout", "5s", "--roll-size", "1", "--columnar", columns}
	r.once = &Command{
		Program: Program{Binary: c.Binary, Data: filepath.Join(dirs["disk"], "once"), Excuse: excuse, Output: c.output("once")},
		Dir:     dirs["once"], Table: url, URL: text, Options: c.options("check"), Layout: c.Layout.Name, Seed: c.Seed,
		Hosts: []string{"web01", "web02"}, Flags: flags, Text: c.days,
	}
	r.follower = &Follower{
		Program: Program{Binary: c.Binary, Data: filepath.Join(dirs["disk"], "follow"), Excuse: excuse, Output: c.output("follow")},
		Dir:     dirs["follow"], Flags: slices.Concat(flags, []string{"--table", text, "--layout", c.Layout.Name}), Host: "web03", Seed: c.Seed,
	}
	r.stores, r.columnar = []string{"--table", text, "--archive", archive}, []string{"--table", columns, "--archive", archive}
	if r.archived, err = c.look(archive); err != nil {
		return r, err
	}
	r.archived.spools = []string{r.once.Data, r.follower.Data}
	r.archived.logs = func() []hostLog { return slices.Concat(r.once.logs, r.follower.logs) }
	return r, nil
}

// output returns a function that writes a program's output to the journal.
func (c Config) output(who string) func(string) {
	return func(line string) { c.Journal.Say(who, line) }
}

// days generates a log of several days; every fourth log is one long day.
func (c Config) days(i uint64) ([]byte, error) {
	if i%4 == 3 {
		return daysOf(c.Seed<<20+i, 1, 60_000)
	}
	return daysOf(c.Seed<<20+i, 6, 1_000)
}

func (c Config) createTable(ctx context.Context, url hbase.URL) error {
	admin, err := c.create(ctx, url)
	if err != nil {
		return err
	}
	return admin.Close()
}

// mount mounts the small disk if that is permitted, and returns a function that reports whether a
// program may have failed because the disk was full.
func (r *archiveRun) mount(dir string) func(time.Time) bool {
	disk, err := MountDisk(dir, diskBytes)
	if err != nil {
		r.Journal.Say("world", "no disk will be full: "+err.Error())
		return nil
	}
	r.disk = disk
	return disk.WasFull
}

// look opens an archive for the checks. The caller sets its logs and spools.
func (c Config) look(url string) (*archived, error) {
	authority, text, err := hdfs.SplitURL(url)
	if err != nil {
		return nil, err
	}
	pattern, err := archive.ParsePattern(text)
	if err != nil {
		return nil, err
	}
	nameNodes, err := hdfs.Locate(authority)
	if err != nil {
		return nil, err
	}
	archive, err := hdfs.Open(nameNodes, pattern.Root(), hdfs.Options{Logger: c.Journal.Logger("check")})
	if err != nil {
		return nil, err
	}
	return &archived{cluster: c.Cluster, pattern: pattern, archive: archive}, nil
}

func (r *archiveRun) close() error {
	var err error
	if r.archived != nil {
		err = r.archived.archive.Close()
	}
	if r.disk != nil {
		err = errors.Join(err, r.disk.Unmount())
	}
	return err
}

// rows compares the table with one that the undisturbed program fills from all logs.
func (r *archiveRun) rows(ctx context.Context) error {
	all := &Command{
		Program: Program{Binary: r.Binary}, Dir: r.Dir, Table: r.once.Table, Options: r.once.Options, Layout: r.Layout.Name, logs: r.archived.logs(),
	}
	all.lines.Store(r.once.lines.Load() + r.follower.lines.Load())
	return all.check(ctx)
}

// audit runs sluice audit on logs, archive and table.
func (r *archiveRun) audit(ctx context.Context, stores ...string) error {
	for _, p := range []*Program{&r.once.Program, &r.follower.Program} {
		if out, err := p.command(ctx, slices.Concat([]string{"audit"}, stores)...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", p.Data, err, out)
		}
	}
	return nil
}

// columns compares the columnar table with logs and archive, before and after closed days are
// merged.
func (r *archiveRun) columns(ctx context.Context) error {
	p := &r.once.Program
	for _, command := range []string{"", "compact"} {
		if command != "" {
			if out, err := p.command(ctx, command, r.columnar[0], r.columnar[1]).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", command, err, out)
			}
		}
		out, err := p.command(ctx, "scan", "--count", r.columnar[0], r.columnar[1]).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: scan: %w: %s", command, err, out)
		}
		if lines := r.once.lines.Load() + r.follower.lines.Load(); strings.TrimSpace(string(out)) != fmt.Sprint(lines) {
			return fmt.Errorf("%s: scan found %s lines of %d", command, out, lines)
		}
		if out, err := p.command(ctx, "table", "verify", r.columnar[0], r.columnar[1]).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", command, err, out)
		}
		if err := r.audit(ctx, r.columnar...); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
	}
	return nil
}

func (r *archiveRun) watch() {
	r.seconds++
	r.once.watch()
	r.follower.watch()
	if r.seconds%tellEverySeconds == 0 {
		r.report()
	}
}

func (r *archiveRun) report() {
	r.Journal.Say("pace", fmt.Sprintf("%d lines in %d logs taken once, %d in %d followed", r.once.lines.Load(), r.once.count.Load(), r.follower.lines.Load(), r.follower.count.Load()))
	for _, x := range []struct {
		who string
		p   *Program
	}{{"once", &r.once.Program}, {"follow", &r.follower.Program}} {
		r.Journal.Say("pace", fmt.Sprintf("%s: ran %d times, killed %d, gave up for its disk %d, at most %d MiB", x.who,
			x.p.runs.Load(), x.p.kills.Load(), x.p.gaveUp.Load(), x.p.peakRSSBytes>>20))
	}
}

func (r *archiveRun) bounded() error {
	if rss := max(r.once.peakRSSBytes, r.follower.peakRSSBytes); rss > maxCollectorRSSBytes {
		return fmt.Errorf("the program had %d MiB resident", rss>>20)
	}
	return nil
}

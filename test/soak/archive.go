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

// soakArchive tests the archive in HDFS, with a table on HBase and a columnar table in HDFS: a program
// with --once and one that follows a log, each with a data directory on a small disk, are killed
// while daemons fail and the disk is full.
func soakArchive(ctx context.Context, c config) (err error) {
	run, err := c.archive(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.close()) }()
	plan, err := c.events(archiveFaults(c.seed, run.disk))
	if err != nil {
		return err
	}
	once, follower, a := run.once, run.follower, run.archived
	soak := &scenario{
		world:       &world{cluster: c.cluster, journal: c.journal},
		plan:        plan,
		length:      c.length,
		loads:       []load{once, follower},
		everySecond: run.watch,
		report:      run.report,
		last:        run.disk.atLeastOnceFull,
		done:        func() int64 { return once.runs.Load() - once.kills.Load() - once.gaveUp.Load() },
		checks: []check{
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
	config
	disk     *disk // nil: no permission to mount one
	once     *command
	follower *follower
	archived *archived
	stores   []string // flags that name table and archive
	columnar []string // the same for the columnar table
	seconds  int
}

// archive prepares the soak.
func (c config) archive(ctx context.Context) (r *archiveRun, err error) {
	r = &archiveRun{config: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	name := fmt.Sprintf("soak_%d_%d", c.seed, time.Now().UnixNano())
	text := fmt.Sprintf("hbase://%s/%s", c.cluster.ZooKeeper, name)
	url, err := hbase.ParseURL(text)
	if err != nil {
		return r, err
	}
	if err := c.createTable(ctx, url); err != nil {
		return r, err
	}
	dirs := map[string]string{}
	for _, d := range []string{"disk", "once", "follow"} {
		dirs[d] = filepath.Join(c.dir, d)
		if err := os.Mkdir(dirs[d], 0o700); err != nil {
			return r, err
		}
	}
	excuse := r.mount(dirs["disk"])
	archive := fmt.Sprintf("%s%s/%s/%%Y%%m%%d/%%{host}", hdfs.Scheme, c.cluster.NameNode, name)
	columns := fmt.Sprintf("parquet:%s%s/%s-columns", hdfs.Scheme, c.cluster.NameNode, name)
	flags := []string{"--archive", archive, "--archive-timeout", "5s", "--roll-size", "1", "--columnar", columns}
	r.once = &command{
		program: program{binary: c.binary, data: filepath.Join(dirs["disk"], "once"), excuse: excuse, output: c.output("once")},
		dir:     dirs["once"], table: url, url: text, options: c.options("check"), layout: c.layout.Name, seed: c.seed,
		hosts: []string{"web01", "web02"}, flags: flags, generate: c.days,
	}
	r.follower = &follower{
		program: program{binary: c.binary, data: filepath.Join(dirs["disk"], "follow"), excuse: excuse, output: c.output("follow")},
		dir:     dirs["follow"], flags: slices.Concat(flags, []string{"--table", text, "--layout", c.layout.Name}), host: "web03", seed: c.seed,
	}
	r.stores, r.columnar = []string{"--table", text, "--archive", archive}, []string{"--table", columns, "--archive", archive}
	if r.archived, err = c.look(archive); err != nil {
		return r, err
	}
	r.archived.spools = []string{r.once.data, r.follower.data}
	r.archived.logs = func() []hostLog { return slices.Concat(r.once.logs, r.follower.logs) }
	return r, nil
}

// output returns a function that writes a program's output to the journal.
func (c config) output(who string) func(string) {
	return func(line string) { c.journal.say(who, line) }
}

// days generates a log of several days; every fourth log is one long day.
func (c config) days(i uint64) ([]byte, error) {
	if i%4 == 3 {
		return daysOf(c.seed<<20+i, 1, 60_000)
	}
	return daysOf(c.seed<<20+i, 6, 1_000)
}

func (c config) createTable(ctx context.Context, url hbase.URL) error {
	admin, err := c.create(ctx, url)
	if err != nil {
		return err
	}
	return admin.Close()
}

// mount mounts the small disk if that is permitted, and returns a function that reports whether a
// program may have failed because the disk was full.
func (r *archiveRun) mount(dir string) func(time.Time) bool {
	disk, err := mountDisk(dir, diskBytes)
	if err != nil {
		r.journal.say("world", "no disk will be full: "+err.Error())
		return nil
	}
	r.disk = disk
	return disk.wasFull
}

// look opens an archive for the checks. The caller sets its logs and spools.
func (c config) look(url string) (*archived, error) {
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
	archive, err := hdfs.Open(nameNodes, pattern.Root(), hdfs.Options{Logger: c.journal.logger("check")})
	if err != nil {
		return nil, err
	}
	return &archived{cluster: c.cluster, pattern: pattern, archive: archive}, nil
}

func (r *archiveRun) close() error {
	var err error
	if r.archived != nil {
		err = r.archived.archive.Close()
	}
	if r.disk != nil {
		err = errors.Join(err, r.disk.unmount())
	}
	return err
}

// rows compares the table with one that the undisturbed program fills from all logs.
func (r *archiveRun) rows(ctx context.Context) error {
	all := &command{
		program: program{binary: r.binary}, dir: r.dir, table: r.once.table, options: r.once.options, layout: r.layout.Name, logs: r.archived.logs(),
	}
	all.lines.Store(r.once.lines.Load() + r.follower.lines.Load())
	return all.check(ctx)
}

// audit runs sluice audit on logs, archive and table.
func (r *archiveRun) audit(ctx context.Context, stores ...string) error {
	for _, p := range []*program{&r.once.program, &r.follower.program} {
		if out, err := p.command(ctx, slices.Concat([]string{"audit"}, stores)...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", p.data, err, out)
		}
	}
	return nil
}

// columns compares the columnar table with logs and archive, before and after closed days are
// merged.
func (r *archiveRun) columns(ctx context.Context) error {
	p := &r.once.program
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
	r.journal.say("pace", fmt.Sprintf("%d lines in %d logs taken once, %d in %d followed", r.once.lines.Load(), r.once.count.Load(), r.follower.lines.Load(), r.follower.count.Load()))
	for _, x := range []struct {
		who string
		p   *program
	}{{"once", &r.once.program}, {"follow", &r.follower.program}} {
		r.journal.say("pace", fmt.Sprintf("%s: ran %d times, killed %d, gave up for its disk %d, at most %d MiB", x.who,
			x.p.runs.Load(), x.p.kills.Load(), x.p.gaveUp.Load(), x.p.peakRSSBytes>>20))
	}
}

func (r *archiveRun) bounded() error {
	if rss := max(r.once.peakRSSBytes, r.follower.peakRSSBytes); rss > maxCollectorRSSBytes {
		return fmt.Errorf("the program had %d MiB resident", rss>>20)
	}
	return nil
}

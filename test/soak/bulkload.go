package soak

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"sluice/hbase"
	"sluice/hdfs"
	"sluice/schema"
)

const (
	// maxLoadRSSBytes limits the memory of a program that loads files: docs/bulkload.md.
	maxLoadRSSBytes = 512 << 20
	// loadDiskBytes is the size of the disk with the data directories of both programs: segments, and
	// files that are not loaded yet.
	loadDiskBytes = 160 << 20
	// loadGap is the maximum time between the beginnings of two faults. A run has several seconds.
	loadGap = 15 * time.Second
	// putInstead is in the warning of a program whose files cannot be loaded.
	putInstead = "rows are written with Put"
)

// soakBulkLoad tests bulk loads: the program stores one log after the other with --load bulk, and fills a
// second table from the archive of them. Both are killed while daemons fail, regions are split and
// moved, and the disk for their files is full.
func soakBulkLoad(ctx context.Context, c config) (err error) {
	run, err := c.bulkLoad(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.close()) }()
	plan := c.plan
	if plan == nil {
		plan = planOf(c.seed, bulkLoadFaults(c.seed, run.disk), c.length, loadGap)
	}
	a := run.archived
	soak := &scenario{
		world:       &world{cluster: c.cluster, admin: run.admin, key: run.key, journal: c.journal},
		plan:        plan,
		length:      c.length,
		loads:       []load{run.once, run.refill},
		everySecond: run.watch,
		report:      run.report,
		last:        run.last,
		done:        func() int64 { return run.once.runs.Load() - run.once.kills.Load() - run.once.gaveUp.Load() },
		checks: []check{
			{"no segment is left in the spools", a.emptySpools},
			{"no file is left in the staging directories and on the local disk", run.tidy},
			{"for every host and day the archive has the logs' lines", a.lines},
			{"the table has the cells of each line", run.once.check},
			{"the table that was filled from the archive has the same", run.refilled},
			{"sluice audit finds no difference", run.audit},
			{"HBase reads every cell of every file, and no checksum is wrong", run.files},
			{"memory is bounded", func(context.Context) error { return run.bounded() }},
		},
	}
	return soak.Run(ctx)
}

// bulkLoadFaults returns the faults of a table's cluster and, if it is not nil, of the disk for the
// files.
func bulkLoadFaults(seed uint64, disk *disk) []fault {
	faults := hbaseFaults(seed)
	if disk != nil {
		faults = append(faults, fillDisk(disk, 3, 8*time.Second))
	}
	return faults
}

// bulkLoadRun is the state of a running soak of bulk loads.
type bulkLoadRun struct {
	config
	name     string // begins the names of both tables
	admin    *hbase.Admin
	disk     *disk // nil: no permission to mount one
	once     *command
	refill   *refill
	archived *archived
	archive  string
	fellBack atomic.Int64 // messages of programs that wrote rows with Put instead
	seconds  int
	logged   map[string]int64 // bytes of the region servers' logs at the start
}

// bulkLoad prepares the soak.
func (c config) bulkLoad(ctx context.Context) (r *bulkLoadRun, err error) {
	r = &bulkLoadRun{config: c, name: fmt.Sprintf("soak_%d_%d", c.seed, time.Now().UnixNano())}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.logged, err = r.serverLogs(); err != nil {
		return r, err
	}
	urls := map[string]hbase.URL{}
	for _, suffix := range []string{"", "_again"} {
		url, err := hbase.ParseURL(r.tableURL(suffix))
		if err != nil {
			return r, err
		}
		urls[suffix] = url
		if err := c.createTable(ctx, url); err != nil {
			return r, err
		}
	}
	r.admin = hbase.OpenAdmin(urls[""], c.options("admin"))
	dirs := map[string]string{}
	for _, d := range []string{"disk", "logs", "again"} {
		dirs[d] = filepath.Join(c.dir, d)
		if err := os.Mkdir(dirs[d], 0o700); err != nil {
			return r, err
		}
	}
	var excuse func(time.Time) bool
	if r.disk, err = mountDisk(dirs["disk"], loadDiskBytes); err == nil {
		excuse = r.disk.wasFull
	} else {
		c.journal.say("world", "no disk will be full: "+err.Error())
	}
	r.archive = fmt.Sprintf("%s%s/%s/%%Y%%m%%d/%%{host}", hdfs.Scheme, c.cluster.NameNode, r.name)
	r.once = &command{
		program: program{binary: c.binary, data: filepath.Join(dirs["disk"], "once"), excuse: excuse, output: r.output("once")},
		dir:     dirs["logs"], table: urls[""], url: r.tableURL(""), options: c.options("check"), layout: c.layout.Name, seed: c.seed,
		hosts: []string{"web01", "web02"}, generate: c.loadedLog,
		flags: []string{"--wait", "0", "--load", "bulk", "--archive", r.archive, "--archive-timeout", "5s", "--roll-size", "1"},
	}
	r.refill = &refill{
		program: program{binary: c.binary, data: filepath.Join(dirs["disk"], "refill"), excuse: excuse, output: r.output("refill")},
		source:  r.once, archive: r.archive, url: r.tableURL("_again"), table: urls["_again"], layout: c.layout.Name, seed: c.seed,
	}
	if r.archived, err = c.look(r.archive); err != nil {
		return r, err
	}
	r.archived.spools = []string{r.once.data}
	r.archived.logs = func() []hostLog { return r.once.logs }
	return r, nil
}

func (r *bulkLoadRun) tableURL(suffix string) string {
	return fmt.Sprintf("hbase://%s/%s%s", r.cluster.ZooKeeper, r.name, suffix)
}

// output writes a program's output to the journal, and counts when it gives up loading files.
func (r *bulkLoadRun) output(who string) func(string) {
	say := r.config.output(who)
	return func(line string) {
		if strings.Contains(line, putInstead) {
			r.fellBack.Add(1)
		}
		say(line)
	}
}

const loadedDays = 6

// loadedLog generates a log: every second one is one long day, the others have all days.
func (c config) loadedLog(i uint64) ([]byte, error) {
	if i%2 == 1 {
		return daysOf(c.seed<<20+i, 1, 60_000)
	}
	return daysOf(c.seed<<20+i, loadedDays, 4_000)
}

// key returns a key that a row may have: with any salt, around midnight of one of the days.
func (r *bulkLoadRun) key(n uint64) []byte {
	rng := rand.New(rand.NewPCG(n, 4))
	at := time.Date(2026, time.September, 3+rng.IntN(loadedDays), 0, 0, 0, 0, time.UTC).Add(below(rng, 4*time.Minute) - 2*time.Minute)
	return binary.BigEndian.AppendUint64([]byte{byte(rng.IntN(max(1, r.layout.Salts)))}, uint64(at.UnixNano()))
}

// last makes sure that a region was split, and that the disk was full.
func (r *bulkLoadRun) last(ctx context.Context, w *world) error {
	return errors.Join(atLeastOneSplit(ctx, w), r.disk.atLeastOnceFull(ctx, w))
}

// tidy checks that nothing is left of loads: no file in HBase's staging directories, no directory that
// a program has recorded, and no local file. A program that was killed when it had asked for a directory
// and did not have its name yet leaves that directory, empty: docs/bulkload.md.
func (r *bulkLoadRun) tidy(context.Context) error {
	out, err := r.cluster.HDFS("-ls", "-R", "/hbase/staging")
	if err != nil {
		return err
	}
	var dirs []string
	for line := range strings.Lines(out) {
		_, path, found := strings.Cut(strings.TrimSpace(line), "/hbase/staging/")
		if !found || !strings.Contains(path, r.name) {
			continue
		}
		if strings.Contains(path, "/") {
			return fmt.Errorf("left in HDFS: %s", strings.TrimSpace(line))
		}
		dirs = append(dirs, path)
	}
	if len(dirs) > 0 {
		r.journal.say("check", fmt.Sprintf("%d empty staging directories are left: %v", len(dirs), dirs))
	}
	if kills := r.once.kills.Load() + r.refill.kills.Load(); int64(len(dirs)) > max(1, kills/4) {
		return fmt.Errorf("%d empty staging directories after %d kills", len(dirs), kills)
	}
	for _, p := range []*program{&r.once.program, &r.refill.program} {
		left, err := filepath.Glob(filepath.Join(p.data, "load", "*.*"))
		if err != nil || len(left) > 0 {
			return errors.Join(err, fmt.Errorf("left on the local disk: %v", left))
		}
	}
	return nil
}

// refilled compares the table that was filled from the archive with the logs.
func (r *bulkLoadRun) refilled(ctx context.Context) error {
	all := &command{
		program: program{binary: r.binary}, dir: filepath.Join(r.dir, "again"), table: r.refill.table, options: r.once.options, layout: r.layout.Name, logs: r.once.logs,
	}
	all.lines.Store(r.once.lines.Load())
	return all.check(ctx)
}

// audit runs sluice audit on logs, archive and each table.
func (r *bulkLoadRun) audit(ctx context.Context) error {
	for _, suffix := range []string{"", "_again"} {
		args := []string{"audit", "--table", r.tableURL(suffix), "--archive", r.archive}
		if out, err := r.once.command(ctx, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", suffix, err, out)
		}
	}
	return nil
}

func (r *bulkLoadRun) watch() {
	r.seconds++
	r.once.watch()
	r.refill.watch()
	if r.seconds%tellEverySeconds == 0 {
		r.report()
	}
}

func (r *bulkLoadRun) report() {
	r.journal.say("pace", fmt.Sprintf("%d lines in %d logs; %d rows in %d tables filled from the archive; %d warnings of rows that were put instead",
		r.once.lines.Load(), r.once.count.Load(), r.refill.rows.Load(), r.refill.fills.Load(), r.fellBack.Load()))
	for _, x := range []struct {
		who string
		p   *program
	}{{"once", &r.once.program}, {"refill", &r.refill.program}} {
		r.journal.say("pace", fmt.Sprintf("%s: ran %d times, killed %d, gave up for its disk %d, at most %d MiB", x.who,
			x.p.runs.Load(), x.p.kills.Load(), x.p.gaveUp.Load(), x.p.peakRSSBytes>>20))
	}
}

func (r *bulkLoadRun) bounded() error {
	if rss := max(r.once.peakRSSBytes, r.refill.peakRSSBytes); rss > maxLoadRSSBytes {
		return fmt.Errorf("the program had %d MiB resident", rss>>20)
	}
	return nil
}

func (r *bulkLoadRun) close() error {
	var err error
	if r.archived != nil {
		err = r.archived.archive.Close()
	}
	if r.admin != nil {
		err = errors.Join(err, r.admin.Close())
	}
	if r.disk != nil {
		err = errors.Join(err, r.disk.unmount())
	}
	return err
}

// refill is a load: the program fills a table from an archive with bulk loads, again and again, while
// the archive grows. It is killed with SIGKILL at random times.
type refill struct {
	program
	// source fills the archive.
	source       *command
	archive, url string // as the flags' values
	table        hbase.URL
	layout       string
	seed         uint64

	rows, fills atomic.Int64 // of runs that succeeded
}

// Run implements load. When the source has ended, the program fills the table once more.
func (f *refill) Run(ctx context.Context, _ <-chan struct{}) error {
	rng := rand.New(rand.NewPCG(f.seed, 7))
	for f.source.stored.Load() == 0 && ctx.Err() == nil {
		wait(ctx, 100*time.Millisecond) // there is no archive yet
	}
	for {
		whole := f.source.ended.Load()
		life := time.Duration(0)
		if !whole && rng.IntN(2) == 0 {
			life = below(rng, 2*maxRun)
		}
		stored := f.source.stored.Load()
		done, err := f.runFor(ctx, life, f.args()...)
		if err == nil && done {
			err = f.has(ctx, stored)
		}
		if err != nil || done && whole {
			return err
		}
	}
}

// args returns the arguments of a run.
func (f *refill) args() []string {
	return []string{"run", "--wait", "0", "--from-archive", f.archive, "--load", "bulk", "--layout", f.layout, "--table", f.url}
}

// has checks that the table has at least the rows of the logs that were in the archive when the
// program began. A later run would write what this one lost.
func (f *refill) has(ctx context.Context, stored int64) error {
	table, err := hbase.Open(ctx, f.table, hbase.Options{})
	if err != nil {
		return err
	}
	rows := int64(0)
	for _, e := range table.Scan(ctx, schema.Scan{}) {
		if err = e; err != nil {
			break
		}
		rows++
	}
	if err := errors.Join(err, table.Close()); err != nil {
		return err
	}
	f.rows.Add(rows)
	f.fills.Add(1)
	if rows < stored {
		return fmt.Errorf("the table has %d rows of %d lines that were in the archive before it was filled", rows, stored)
	}
	return nil
}

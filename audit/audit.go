package audit

import (
	"context"
	"iter"

	"golang.org/x/sync/errgroup"

	"sluice/archive"
	"sluice/archive/index"
	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// Table is the table to compare.
type Table interface {
	Layout() schema.Layout
	Scan(ctx context.Context, s schema.Scan) iter.Seq2[*schema.Row, error]
	Streams(ctx context.Context) ([]schema.StreamEntry, error)
	// Put and Flush are used by Repair. Rows need not be in a Scan before the next Flush.
	Put(ctx context.Context, rows *schema.Rows) error
	Flush(ctx context.Context) error
}

// Config is the parameters of an audit.
type Config struct {
	Table   Table
	Archive index.Archive
	Pattern archive.Pattern
	// Checkpoint has the logs of this host; nil: they are searched by the entries of the table's
	// directory.
	Checkpoint *checkpoint.File
	// Before is the result of Look before the table was opened; nil: no collector is running.
	Before *Snapshot
	// Host is this host's name, for logs that are searched by the directory.
	Host string
	// Hosts are the hosts to compare; empty: all.
	Hosts []string
	// From <= time < To, nanoseconds since 1970, selects lines; 0 is no bound. With a bound, lines
	// without a time are left out.
	From, To int64
	// Pruned are the ranges that were removed from table or archive because of their age; they are
	// not compared.
	Pruned map[schema.StreamID]schema.RangeSet
	// Quarantine are the rows that the table rejected: key to cells, by qualifier.
	Quarantine map[string][]schema.Cell
	// Named is the number of differences of a stream to list.
	Named int
	// Expect, if not nil, is called by Repair before it writes rows, with about how many bytes of log
	// the table has no rows of.
	Expect func(bytes int64)
}

// audit is the state of a running audit.
type audit struct {
	Config
	seeds   seeds
	layout  schema.Layout
	catalog *index.Catalog
	streams map[schema.StreamID]*stream
	report  Report
	sums    []digest // of each member's fresh bytes
	damaged []bool   // by member
}

// Run compares. The error is one of reading; differences are in the report.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	a, err := newAudit(ctx, cfg)
	if err == nil {
		err = a.compare(ctx, nil)
	}
	if err != nil {
		return nil, err
	}
	return &a.report, nil
}

// newAudit reads the positions first, then the archive's content, and the rows last: lines that
// were stored when the positions were read, and that are settled by Config.Before, are in both.
func newAudit(ctx context.Context, cfg Config) (*audit, error) {
	a := &audit{Config: cfg, seeds: newSeeds(), layout: cfg.Table.Layout(), streams: map[schema.StreamID]*stream{}}
	if err := a.readPositions(ctx); err != nil {
		return nil, err
	}
	var err error
	a.catalog, err = index.Read(ctx, cfg.Archive, cfg.Pattern, func(f *index.File) bool { return a.wantHost(f.Host) })
	if err != nil {
		return nil, err
	}
	a.sums, a.damaged = make([]digest, len(a.catalog.Members)), make([]bool, len(a.catalog.Members))
	a.addCatalog()
	if cfg.Checkpoint != nil {
		a.report.Losses = cfg.Checkpoint.Losses.All()
	}
	return a, a.findLogs()
}

// compare fills the report. rewrite, if not nil, gets the rows that are missing or different in the
// table.
func (a *audit) compare(ctx context.Context, rewrite func(*schema.Rows) error) error {
	var expected, found tally
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		expected, err = a.readLines(inner)
		return err
	})
	group.Go(func() (err error) {
		found, err = a.readTable(inner)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	bad := differing(expected, found)
	if rewrite != nil && a.Expect != nil {
		a.Expect(a.absent(bad, expected, found))
	}
	if err := a.pinpoint(ctx, bad, expected, found, rewrite); err != nil {
		return err
	}
	a.finish()
	return nil
}

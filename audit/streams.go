package audit

import (
	"context"
	"slices"

	"sluice/archive/index"
	"sluice/ingest/checkpoint"
	"sluice/parse"
	"sluice/schema"
)

// stream is the state of a stream during a comparison.
type stream struct {
	Stream
	tracked     *checkpoint.Stream // nil: not in the checkpoint
	inDirectory bool
	directory   int64         // the stored position in the directory
	described   bool          // Format is known
	known       bool          // Stored is known
	held        *index.Stream // nil: nothing in the archive
	format      *parse.Format // nil: see FormatUnknown
	log         *log          // nil: no log here
	pruned      schema.RangeSet
	// ranges are the ranges of the lines with their locations, sorted, without overlaps. missing
	// are the parts of the stored range that the archive lacks.
	ranges  []locatedRange
	missing []missing
	// lines counts the lines of the ranges.
	lines count
}

// missing is a range that the archive lacks.
type missing struct {
	schema.Range
	inLog  bool  // the log has it,
	logged int64 // number of its selected lines
	rows   int64 // rows of it in the table, if no log has the lines
	// disputed means that the table has rows of it that differ from the log's lines, and there is
	// no archive to decide.
	disputed bool
}

// count is the totals of some lines, as in a stream's entry.
type count struct{ lines, errors, first, last int64 }

// add adds one line.
func (c *count) add(rec *schema.Record) {
	c.lines++
	if rec.Err.Set() {
		c.errors++
	}
	if rec.Dated {
		c.extend(rec.Time)
	}
}

func (c *count) merge(o count) {
	c.lines += o.lines
	c.errors += o.errors
	for _, t := range []int64{o.first, o.last} {
		if t != 0 {
			c.extend(t)
		}
	}
}

func (c *count) extend(time int64) {
	if c.first == 0 || time < c.first {
		c.first = time
	}
	c.last = max(c.last, time)
}

// locatedRange is a range and its location: a member, or the log (noMember).
type locatedRange struct {
	schema.Range
	member int32
}

const noMember = -1

func (a *audit) wantHost(host string) bool {
	return len(a.Hosts) == 0 || host == "" || slices.Contains(a.Hosts, host)
}

// readPositions adds the streams of the table's directory and of the checkpoint.
func (a *audit) readPositions(ctx context.Context) error {
	if a.Checkpoint != nil {
		for _, t := range a.Checkpoint.Streams() {
			if a.wantHost(t.Host) {
				a.streams[t.ID] = &stream{Stream: Stream{StreamEntry: t.StreamEntry}, tracked: t, described: true, known: true}
			}
		}
	}
	list, err := a.Table.Streams(ctx)
	if err != nil {
		return err
	}
	for _, e := range list {
		if !a.wantHost(e.Host) {
			continue
		}
		s := a.streams[e.ID]
		if s == nil {
			s = &stream{}
			a.streams[e.ID] = s
		}
		// Rows are decoded as described in the directory; its position may be older.
		s.directory = e.Stored
		e.Stored = max(e.Stored, s.Stored)
		if s.tracked != nil {
			e.Labels = s.tracked.Labels // HBase keeps the cell of a removed label
		}
		s.StreamEntry, s.inDirectory, s.described, s.known = e, true, true, true
	}
	return nil
}

// addCatalog adds the streams of the archive. It may be ahead of the saved position, as a rebuilt
// table is behind its archive.
func (a *audit) addCatalog() {
	for id, held := range a.catalog.Streams {
		s := a.streams[id]
		if s == nil {
			if held.Described && !a.wantHost(held.Entry.Host) {
				continue
			}
			s = &stream{Stream: Stream{StreamEntry: held.Entry}, described: held.Described}
			a.streams[id] = s
		}
		s.held = held
		for _, i := range held.Members {
			m := &a.catalog.Members[i]
			if a.Before.inFlight(id, s.Stored) > 0 && m.Range.Start > s.Stored {
				break // the lines between are in flight
			}
			if a.Before.settled(a.catalog.Files[m.File].Name, m) {
				s.Stored = max(s.Stored, m.Range.End)
			}
		}
	}
	for _, s := range a.streams {
		s.pruned = a.Pruned[s.ID]
		s.Pruned = s.pruned.Common(schema.Range{Start: 0, End: s.Stored})
		s.InFlight = a.Before.inFlight(s.ID, s.Stored)
		if !s.inDirectory && len(s.pruned.Missing(schema.Range{Start: s.skipped(), End: s.Stored})) > 0 {
			a.differ(s, Difference{StreamUnknown, schema.Range{Start: 0, End: s.Stored}, ""})
		}
		if s.described {
			var err error
			if s.format, err = parse.OfStream(&s.StreamEntry.Stream); err != nil {
				a.differ(s, Difference{FormatUnknown, schema.Range{}, err.Error()})
			}
		} else {
			a.differ(s, Difference{FormatUnknown, schema.Range{}, "neither table, checkpoint nor archive says it"})
		}
	}
}

// differ counts a difference, and lists it unless there are too many of its kind.
func (a *audit) differ(s *stream, d Difference) {
	s.Counts[d.Kind]++
	if s.Counts[d.Kind] <= int64(a.Named) {
		s.Named = append(s.Named, d)
	}
}

// skipped is the length of the beginning that was not read because the operator requested new lines
// only.
func (s *stream) skipped() int64 {
	if s.tracked == nil {
		return 0
	}
	return s.tracked.SkippedBytes
}

// finish completes the report.
func (a *audit) finish() {
	for _, s := range a.streams {
		for _, m := range s.missing {
			a.differMissing(s, m)
		}
		s.LinesRead = s.lines.lines
		for _, p := range s.ranges {
			if p.member != noMember {
				s.ArchiveBytes += min(p.End, s.Stored) - min(p.Start, s.Stored)
			}
		}
		a.report.Streams = append(a.report.Streams, &s.Stream)
	}
	slices.SortFunc(a.report.Streams, func(x, y *Stream) int {
		return index.CompareStreams(&x.StreamEntry.Stream, &y.StreamEntry.Stream)
	})
	for i := range a.catalog.Files {
		f := &a.catalog.Files[i]
		if f.Foreign {
			a.report.Foreign = append(a.report.Foreign, f.Name)
		}
		for _, d := range f.Damage {
			a.report.Files = append(a.report.Files, damageText(f, d))
		}
	}
}

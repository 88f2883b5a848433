package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"sluice/archive/index"
	"sluice/ingest/logfile"
	"sluice/ingest/segment"
	"sluice/schema"
)

func damageText(f *index.File, d index.Damage) string {
	return fmt.Sprintf("%s: %d bytes at byte %d are not a gzip member of sluice: %s", f.Name, d.Bytes, d.Offset, d.Reason)
}

// encoder encodes lines as the rows that a table must have. It is not safe for concurrent use.
type encoder struct {
	audit  *audit
	hasher hasher
	rows   schema.Rows
	rec    schema.Record
	known  map[schema.StreamID]*schema.RowEncoder
}

func (a *audit) newEncoder() *encoder {
	return &encoder{audit: a, hasher: hasher{seeds: a.seeds}, known: map[schema.StreamID]*schema.RowEncoder{}}
}

// line encodes one line; false for a line that is not selected.
func (e *encoder) line(s *stream, line []byte, offset int64) bool {
	s.format.Parse(line, &e.rec)
	if e.audit.From > 0 && e.rec.Time < e.audit.From || e.audit.To > 0 && e.rec.Time >= e.audit.To {
		return false
	}
	e.append(s, &e.rec, offset)
	return true
}

// append encodes a record.
func (e *encoder) append(s *stream, rec *schema.Record, offset int64) {
	rows := e.known[s.ID]
	if rows == nil {
		rows = e.audit.layout.NewRowEncoder(&s.StreamEntry.Stream, s.format.Fields())
		e.known[s.ID] = rows
	}
	rows.Append(&e.rows, offset, rec)
}

// count adds the rows of a range's lines below Stored to the tally.
func (e *encoder) count(t tally, s *stream, data []byte, start int64) (n count) {
	if s.format == nil {
		return n
	}
	var at chunk
	var total sum
	for offset, line := range index.Lines(data, start) {
		if offset >= s.Stored {
			break
		}
		if s.pruned.Has(offset) {
			continue
		}
		e.rows.Reset()
		if !e.line(s, line, offset) {
			continue
		}
		if c := chunkOf(s.ID, offset); c != at {
			if total.rows > 0 {
				t.add(at, total.digest, total.rows)
			}
			at, total = c, sum{}
		}
		total.add(e.hasher.row(e.rows.Key(0), e.rows.Cells(0)), 1)
		n.add(&e.rec)
	}
	if total.rows > 0 {
		t.add(at, total.digest, total.rows)
	}
	return n
}

// readLines reads the archive and the logs, and returns the sums of the rows of all lines.
func (a *audit) readLines(ctx context.Context) (tally, error) {
	encoders, tallies := make([]*encoder, index.Workers()), make([]tally, index.Workers())
	counts := make([]map[schema.StreamID]count, index.Workers())
	for i := range encoders {
		encoders[i], tallies[i], counts[i] = a.newEncoder(), tally{}, map[schema.StreamID]count{}
	}
	err := a.catalog.Walk(ctx, func(worker int, i int32, data []byte, bad *segment.FormatError) error {
		m := &a.catalog.Members[i]
		s := a.streams[m.Stream]
		if s == nil { // of a host that is not selected
			return nil
		}
		if bad != nil {
			a.damaged[i] = true
			return nil
		}
		fresh := data[m.Fresh-m.Range.Start:]
		if s.log != nil {
			a.sums[i] = a.seeds.bytes(fresh)
		}
		n := counts[worker][s.ID]
		n.merge(encoders[worker].count(tallies[worker], s, fresh, m.Fresh))
		counts[worker][s.ID] = n
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := tallies[0]
	for i := range tallies {
		if i > 0 {
			all.merge(tallies[i])
		}
		for id, n := range counts[i] {
			a.streams[id].lines.merge(n)
		}
	}
	r := a.catalog.NewReader()
	for _, s := range a.streams {
		if err = a.complete(ctx, s, r, encoders[0], all); err != nil {
			break
		}
	}
	return all, errors.Join(err, r.Close())
}

// complete compares a stream with its log, reports what the archive lacks, and takes missing lines
// from elsewhere.
func (a *audit) complete(ctx context.Context, s *stream, r *index.Reader, e *encoder, t tally) (err error) {
	if s.log != nil {
		if err := s.log.open(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.log.close()) }()
	}
	if err := a.checkMembers(ctx, s, r); err != nil {
		return err
	}
	for _, hole := range a.replaceable(s) {
		replacement, err := a.replacement(ctx, s, r, hole)
		if err != nil {
			return err
		}
		for _, p := range replacement {
			data, err := a.rangeData(ctx, s, r, p)
			if err != nil {
				return err
			}
			s.lines.merge(e.count(t, s, data, p.Start))
			s.ranges = append(s.ranges, p)
		}
	}
	s.sortRanges()
	for _, hole := range s.holes() {
		if err := a.fromLog(s, hole, e, t); err != nil {
			return err
		}
	}
	s.sortRanges()
	return a.compareLog(ctx, s, r)
}

// checkMembers adds the ranges of the intact members to s.ranges, and reports damaged and
// duplicate ones.
func (a *audit) checkMembers(ctx context.Context, s *stream, r *index.Reader) error {
	if s.held == nil {
		return nil
	}
	for _, i := range s.held.Members {
		m := &a.catalog.Members[i]
		name := a.catalog.Files[m.File].Name
		if a.damaged[i] {
			_, err := r.Data(ctx, m)
			var bad *segment.FormatError
			if !errors.As(err, &bad) {
				return fmt.Errorf("%s: a damaged member was read differently the second time (a disk error?): %w", name, err)
			}
			a.differ(s, Difference{ArchiveDamaged, m.Range, name + ": " + bad.Error()})
			continue
		}
		if m.Fresh < m.Range.End {
			s.ranges = append(s.ranges, locatedRange{m.FreshRange(), i})
		}
	}
	for _, d := range a.catalog.Doubled(s.held, func(i int32) bool { return a.damaged[i] }) {
		a.differ(s, Difference{ArchiveDoubled, d.Range, a.catalog.Files[d.File].Name})
	}
	return nil
}

// replaceable are the ranges below Stored that may be in a second member.
func (a *audit) replaceable(s *stream) (ranges []schema.Range) {
	if !s.Sparse {
		return s.holes()
	}
	if s.held == nil {
		return nil
	}
	for _, i := range s.held.Members { // a sender can leave any number of holes
		if r := a.catalog.Members[i].FreshRange(); a.damaged[i] && r.Len() > 0 {
			ranges = append(ranges, r)
		}
	}
	return ranges
}

// holes returns the ranges below Stored that s.ranges lacks, except pruned ones. s.ranges is
// sorted. Ranges of a sparse stream may never have been sent: they are missing only if the table
// has rows of them.
func (s *stream) holes() []schema.Range {
	least := int64(0)
	if s.Sparse {
		least = 1 // the carriage return that Flume removes
	}
	var holes []schema.Range
	at := min(s.skipped(), s.Stored)
	for _, p := range s.ranges {
		if start := min(p.Start, s.Stored); start > at+least {
			holes = append(holes, s.pruned.Missing(schema.Range{Start: at, End: start})...)
		}
		at = max(at, p.End)
	}
	if at+least < s.Stored {
		holes = append(holes, s.pruned.Missing(schema.Range{Start: at, End: s.Stored})...)
	}
	return holes
}

func (s *stream) sortRanges() {
	slices.SortFunc(s.ranges, func(a, b locatedRange) int { return int(min(max(a.Start-b.Start, -1), 1)) })
}

// replacement finds the bytes of a hole, those of a damaged member, in other members that have
// them, too.
func (a *audit) replacement(ctx context.Context, s *stream, r *index.Reader, hole schema.Range) ([]locatedRange, error) {
	var found []locatedRange
	if s.held == nil {
		return nil, nil
	}
	for _, i := range s.held.Members {
		m := &a.catalog.Members[i]
		part := schema.Range{Start: max(hole.Start, m.Range.Start), End: min(hole.End, m.Range.End)}
		if part.Len() <= 0 || a.damaged[i] {
			continue
		}
		if _, err := r.Data(ctx, m); err != nil {
			return nil, err
		}
		found = append(found, locatedRange{part, i})
		hole.Start = part.End
	}
	return found, nil
}

// rangeData reads a range from the archive.
func (a *audit) rangeData(ctx context.Context, s *stream, r *index.Reader, p locatedRange) ([]byte, error) {
	m := &a.catalog.Members[p.member]
	data, err := r.Data(ctx, m)
	if err != nil {
		return nil, err
	}
	return data[p.Start-m.Range.Start : p.End-m.Range.Start], nil
}

// fromLog takes lines that the archive lacks from the log, as far as it has them.
func (a *audit) fromLog(s *stream, hole schema.Range, e *encoder, t tally) error {
	got := missing{Range: schema.Range{Start: hole.Start, End: hole.Start}, inLog: true}
	if s.log != nil {
		var n count
		err := s.log.lines(hole, func(data []byte, start int64) error {
			n.merge(e.count(t, s, data, start))
			got.End = start + int64(len(data))
			return nil
		})
		if err != nil {
			return err
		}
		s.lines.merge(n)
		got.logged = n.lines
	}
	if got.Len() > 0 {
		s.ranges = append(s.ranges, locatedRange{got.Range, noMember})
		s.missing = append(s.missing, got)
	}
	if got.End < hole.End {
		s.missing = append(s.missing, missing{Range: schema.Range{Start: got.End, End: hole.End}})
	}
	return nil
}

// differMissing reports a range that the archive lacks, unless it was reported as damaged, or is
// older than the selected lines.
func (a *audit) differMissing(s *stream, m missing) {
	if !s.lacks(m) {
		return
	}
	if s.held != nil && slices.ContainsFunc(s.held.Members, func(i int32) bool {
		r := a.catalog.Members[i].Range
		return a.damaged[i] && r.Start <= m.Start && r.End >= m.End
	}) {
		return
	}
	kind := ArchiveMissing
	if m.Start == min(s.skipped(), s.Stored) {
		kind = ArchiveBegins
	}
	if kind == ArchiveBegins && a.From > 0 && m.logged+m.rows == 0 {
		return // possibly older than the selected lines
	}
	text := "the log is not here"
	switch {
	case m.inLog:
		text = fmt.Sprintf("the log has %d lines of it", m.logged)
	case s.log != nil:
		text = "the log does not have it either"
	}
	if m.rows > 0 {
		text += fmt.Sprintf(", the table has %d rows of it", m.rows)
	}
	a.differ(s, Difference{kind, m.Range, text})
}

// lacks reports whether a missing range is known to have had lines.
func (s *stream) lacks(m missing) bool { return !s.Sparse || m.rows > 0 }

// compareLog compares the archive's ranges with the log's bytes.
func (a *audit) compareLog(ctx context.Context, s *stream, r *index.Reader) error {
	if s.log == nil {
		return nil
	}
	for _, p := range s.ranges {
		if p.member == noMember {
			continue
		}
		logged, err := s.log.read(p.Range)
		if err != nil {
			return a.differUnreadable(s, p.Range, err)
		}
		if int64(len(logged)) == p.Len() && p.Range == a.catalog.Members[p.member].FreshRange() && a.seeds.bytes(logged) == a.sums[p.member] {
			continue
		}
		data, err := a.rangeData(ctx, s, r, p)
		if err != nil {
			return err
		}
		a.differLines(s, data[:min(len(data), len(logged))], logged, p.Start)
	}
	size, err := s.log.size()
	if err != nil {
		return a.differUnreadable(s, schema.Range{Start: s.log.at, End: s.log.at}, err)
	}
	s.LogBytes = size
	s.Unread = max(0, size-s.Stored-s.InFlight)
	if size < s.Stored {
		a.differ(s, Difference{LogShort, schema.Range{Start: size, End: s.Stored}, s.LogPath})
	}
	return nil
}

// differUnreadable reports that the log cannot be read. The other logs are still compared.
func (a *audit) differUnreadable(s *stream, r schema.Range, err error) error {
	kind := LogDifferent
	if damaged := (*logfile.DamagedError)(nil); errors.As(err, &damaged) {
		kind, s.LogBytes = LogDamaged, s.log.at
		s.Unread = max(0, s.LogBytes-s.Stored-s.InFlight)
	}
	a.differ(s, Difference{kind, r, err.Error()})
	return nil
}

// differLines reports the archive's lines that differ from the log's.
func (a *audit) differLines(s *stream, archived, logged []byte, start int64) {
	for offset, line := range index.Lines(archived, start) {
		if other := logged[offset-start:][:len(line)]; !bytes.Equal(line, other) {
			a.differ(s, Difference{LogDifferent, schema.Range{Start: offset, End: offset + int64(len(line))}, fmt.Sprintf("%s has %.60q", s.LogPath, other)})
		}
	}
}

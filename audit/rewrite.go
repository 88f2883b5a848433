package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"sluice/archive/index"
	"sluice/ingest/logfile"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// keep is what to do with a member when its file is rewritten.
type keep uint8

const (
	keepWhole keep = iota
	keepFresh      // without the beginning, which is in another member
	drop
)

// rewrite rewrites the files with duplicate or damaged ranges. It decides about every member before
// the first file changes, as the members of one file are compared with those of others.
func (r *repair) rewrite(ctx context.Context) (err error) {
	reader := r.catalog.NewReader()
	defer func() { err = errors.Join(err, reader.Close()) }()
	fates := make([]keep, len(r.catalog.Members))
	for i := range fates {
		if fates[i], err = r.fate(ctx, reader, int32(i)); err != nil {
			return err
		}
	}
	for i := range r.catalog.Files {
		f := &r.catalog.Files[i]
		if !r.changes(f, fates[f.First:f.First+f.Members]) {
			continue
		}
		if err := r.rewriteFile(ctx, reader, f, fates[f.First:f.First+f.Members]); err != nil {
			return fmt.Errorf("write %s again: %w", f.Name, err)
		}
	}
	return nil
}

// changes reports whether a file is to be rewritten.
func (r *repair) changes(f *index.File, fates []keep) bool {
	if f.Foreign {
		return false
	}
	changed := false
	for i, fate := range fates {
		if fate == keepWhole && r.damaged[f.First+i] {
			return false // a file with damage that cannot be repaired is not changed
		}
		changed = changed || fate != keepWhole
	}
	if len(f.Damage) == 0 {
		return changed
	}
	if !r.complete(f.Host) {
		r.left("%s: its damage stays, for some of its lines may be nowhere else", f.Name)
		return false
	}
	return true
}

// complete reports whether the archive has every line of the host that was stored.
func (r *repair) complete(host string) bool {
	for _, s := range r.streams {
		if s.Host == host && (!s.known || !s.covers(schema.Range{Start: min(s.skipped(), s.Stored), End: s.Stored})) {
			return false
		}
	}
	return true
}

// fate decides what to do with one member.
func (r *repair) fate(ctx context.Context, reader *index.Reader, i int32) (keep, error) {
	m := &r.catalog.Members[i]
	s := r.streams[m.Stream]
	name := r.catalog.Files[m.File].Name
	switch {
	case s == nil:
		return keepWhole, nil
	case r.damaged[i]:
		if s.covers(m.Range) {
			return drop, nil
		}
		r.left("%s: the damaged member of stream %s, bytes %v, stays, for its lines are nowhere else", name, s.ID, m.Range)
		return keepWhole, nil
	case m.Fresh == m.Range.Start:
		return keepWhole, nil
	case slices.ContainsFunc(s.ranges, func(p locatedRange) bool { return p.member == i && p.Start < m.Fresh }):
		return keepWhole, nil // the other copy is damaged
	}
	same, err := r.sameBytes(ctx, reader, s, m)
	if err != nil || !same {
		if !same {
			r.left("%s: bytes %v of stream %s stand in the archive twice, and not the same: look which are right", name, schema.Range{Start: m.Range.Start, End: m.Fresh}, s.ID)
		}
		return keepWhole, err
	}
	if m.Fresh < m.Range.End {
		return keepFresh, nil
	}
	return drop, nil
}

// covers reports whether the archive has all of the range, after the restore.
func (s *stream) covers(r schema.Range) bool {
	at := r.Start
	for _, p := range s.ranges {
		if m := s.missingAt(p.Start); m != nil && m.disputed {
			continue
		}
		if p.Start <= at && p.End > at {
			at = p.End
		}
	}
	return at >= r.End
}

// sameBytes compares the parts of a member that are elsewhere, too, with the ranges.
func (r *repair) sameBytes(ctx context.Context, reader *index.Reader, s *stream, m *index.Member) (bool, error) {
	data, err := reader.Data(ctx, m)
	if err != nil {
		return false, err
	}
	twice := bytes.Clone(data[:m.Fresh-m.Range.Start])
	at := m.Range.Start
	for _, p := range s.ranges {
		part := schema.Range{Start: max(p.Start, m.Range.Start), End: min(p.End, m.Fresh)}
		if part.Len() <= 0 {
			continue
		}
		if p.member == noMember || part.Start != at {
			return false, nil
		}
		other, err := r.rangeData(ctx, s, reader, locatedRange{part, p.member})
		if err != nil {
			return false, err
		}
		if !bytes.Equal(other, twice[part.Start-m.Range.Start:part.End-m.Range.Start]) {
			return false, nil
		}
		at = part.End
	}
	return at == m.Fresh, nil
}

// rewriteFile writes the file again and replaces the old one.
func (r *repair) rewriteFile(ctx context.Context, reader *index.Reader, f *index.File, fates []keep) error {
	w, err := segment.Create(vfs.OS{}, filepath.Join(r.dir, "rewritten.gz"))
	if err != nil {
		return err
	}
	k := keeper{r, reader, w, map[schema.StreamID]schema.StreamEntry{}}
	for i, fate := range fates {
		if err := k.member(ctx, &r.catalog.Members[f.First+i], fate); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	sealed, err := w.Seal()
	if err != nil {
		return err
	}
	if sealed == "" {
		r.done.Removed = append(r.done.Removed, f.Name)
		return r.archive.Remove(ctx, f.Name)
	}
	r.done.Rewritten = append(r.done.Rewritten, f.Name)
	return errors.Join(r.archive.Replace(ctx, sealed, f.Name), os.Remove(sealed))
}

// keeper rewrites the members of one file.
type keeper struct {
	*repair
	reader *index.Reader
	writer *segment.Writer
	// entries are the streams' as this file has them: the file is in the directory of these labels,
	// which an operator may have changed since.
	entries map[schema.StreamID]schema.StreamEntry
}

func (k *keeper) member(ctx context.Context, m *index.Member, fate keep) error {
	src, err := k.reader.Segment(ctx, m)
	if err != nil {
		return err
	}
	src.At(m.Member)
	if m.EntryBytes > 0 {
		if e, err := src.Entry(); err == nil { // a damaged member is dropped
			k.entries[m.Stream] = e
		}
	}
	if fate == drop {
		return nil
	}
	e := k.entry(m.Stream)
	if fate == keepWhole {
		_, err := k.writer.Copy(src, m.Member, &e)
		return err
	}
	data, err := k.reader.Data(ctx, m)
	if err != nil {
		return err
	}
	data = data[m.Fresh-m.Range.Start:]
	lines := logfile.CountLines(data)
	_, err = k.writer.Append(k.encoder, schema.Batch{Stream: &e.Stream, Labels: e.Labels, Range: m.FreshRange(), Data: data, Lines: lines})
	return err
}

func (k *keeper) entry(id schema.StreamID) schema.StreamEntry {
	if e, ok := k.entries[id]; ok {
		return e
	}
	if s := k.streams[id]; s != nil {
		return s.StreamEntry
	}
	return schema.StreamEntry{Stream: schema.Stream{ID: id}}
}

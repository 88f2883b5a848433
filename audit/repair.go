package audit

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sluice/archive/index"
	"sluice/ingest/segment"
	"sluice/schema"
)

// Mender is an archive that can be mended; an hdfs.Archive is one.
type Mender interface {
	index.Archive
	// Store puts the sealed file at localPath under a name that is free.
	Store(ctx context.Context, localPath, name string) error
	// Replace puts it in the place of the file that has the name.
	Replace(ctx context.Context, localPath, name string) error
	// Remove takes a file away.
	Remove(ctx context.Context, name string) error
}

// repair is one that is under way.
type repair struct {
	*audit
	mender  Mender
	dir     string // for files that are being made
	encoder *segment.Encoder
	done    *Repairs
}

// Repair compares as Run does, and mends: rows that the table lacks or has
// otherwise are written; what only the log has is put into the archive; archive
// files are written again without what stands twice and, where it is known from
// elsewhere, without what is damaged. Nothing is mended that the lines do not
// prove: rows of no line stay, and so does a range that stands twice with different
// bytes. The report says what differed before. Files are made below dir, which must
// be there. No collector may be at work on the archive.
//
// It can be interrupted and run again: a row is written over itself, a file is
// replaced at once, and what is restored comes before what is taken away.
func Repair(ctx context.Context, cfg Config, m Mender, dir string) (*Report, error) {
	cfg.Archive = m
	a, err := newAudit(ctx, cfg)
	if err != nil {
		return nil, err
	}
	enc, err := segment.NewEncoder(segment.DefaultLevel)
	if err != nil {
		return nil, err
	}
	r := &repair{audit: a, mender: m, encoder: enc, done: &a.report.Repairs}
	if r.dir, err = os.MkdirTemp(dir, "repair-"); err != nil {
		return nil, err
	}
	err = r.run(ctx)
	return &a.report, errors.Join(err, os.RemoveAll(r.dir))
}

func (r *repair) run(ctx context.Context) error {
	err := r.compare(ctx, func(rows *schema.Rows) error {
		r.done.Rows += int64(rows.Len())
		return r.Table.Put(ctx, rows)
	})
	if err == nil {
		err = r.enterStreams(ctx)
	}
	if err == nil {
		err = r.Table.Flush(ctx)
	}
	if err == nil {
		err = r.restore(ctx)
	}
	if err == nil {
		err = r.rewrite(ctx)
	}
	r.leave()
	return err
}

// enterStreams writes the directory rows that are not there, or are behind.
func (r *repair) enterStreams(ctx context.Context) error {
	var rows schema.Rows
	for _, s := range r.streams {
		if s.format == nil || s.Stored == 0 || s.inDirectory && s.directory >= s.Stored {
			continue
		}
		e := s.StreamEntry
		var err error
		if e.Schema, err = r.layout.NewRowEncoder(&e.Stream, s.format.Fields()).Schema(); err != nil {
			return fmt.Errorf("stream %s: %w", e.ID, err)
		}
		e.Lines, e.ParseErrors = max(e.Lines, s.lines.lines), max(e.ParseErrors, s.lines.errors)
		for _, t := range []int64{s.lines.first, s.lines.last} {
			if t != 0 {
				e.Extend(t)
			}
		}
		r.layout.AppendStream(&rows, &e)
		r.done.Streams++
	}
	return r.Table.Put(ctx, &rows)
}

// leave says what is left as it is.
func (r *repair) leave() {
	for _, s := range r.report.Streams {
		if n := s.Counts[RowExtra]; n > 0 {
			r.left("%d rows of stream %s stand in no log and no archive: look at them, and delete them with HBase's shell if they are wrong", n, s.ID)
		}
		if n := s.Counts[LogDifferent] + s.Counts[LogShort]; n > 0 {
			r.left("%s was changed after it was stored: archive and table have what it was", s.LogPath)
		}
		if s.Counts[LogDamaged] > 0 {
			r.left("%s cannot be read to its end: put a sound copy in its place", s.LogPath)
		}
		if s.Counts[FormatUnknown] > 0 {
			r.left("stream %s: its format is not known, so its rows could not be compared", s.ID)
		}
	}
	for _, s := range r.streams {
		for _, m := range s.missing {
			if m.disputed {
				r.left("stream %s: bytes %v are not in the archive, and the table has other rows than %s makes: look which are right", s.ID, m.Range, s.LogPath)
			}
			if m.inLog || !s.lacks(m) {
				continue
			}
			text := "put the archive file back from a copy"
			if m.rows > 0 {
				text += fmt.Sprintf(", or take its %d rows out of the table: sluice scan --output raw --where 'stream = \"%s\" and offset >= %d and offset < %d'", m.rows, s.ID, m.Start, m.End)
			}
			r.left("stream %s: bytes %v are in no log and no archive: %s", s.ID, m.Range, text)
		}
	}
}

func (r *repair) left(format string, args ...any) {
	r.done.Left = append(r.done.Left, fmt.Sprintf(format, args...))
}

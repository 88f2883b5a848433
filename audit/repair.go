package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/archive/index"
	"sluice/ingest/segment"
	"sluice/schema"
)

// WritableArchive is an archive that can be repaired; an hdfs.Archive is one.
type WritableArchive interface {
	index.Archive
	// Store puts the sealed file at localPath under an unused name.
	Store(ctx context.Context, localPath, name string) error
	// Replace replaces the file of that name.
	Replace(ctx context.Context, localPath, name string) error
	// Remove removes a file.
	Remove(ctx context.Context, name string) error
}

// repair is the state of a running repair.
type repair struct {
	*audit
	archive WritableArchive
	dir     string // for temporary files
	encoder *segment.Encoder
	done    *Repairs
}

// Repair compares as Run does, and repairs: missing and different rows are written; lines that only
// the log has are archived; archive files are rewritten without duplicate ranges and, if the lines
// are known from elsewhere, without damaged ones. It changes only what the lines prove: rows
// without a line are kept, and so are two copies of a range with different bytes. The report has
// the differences before the repair. dir is an existing directory for temporary files. No collector
// may be writing the archive.
//
// It can be interrupted and run again: a row overwrites itself, a file is replaced atomically, and
// lines are restored before anything is removed.
func Repair(ctx context.Context, cfg Config, m WritableArchive, dir string) (*Report, error) {
	cfg.Archive = m
	a, err := newAudit(ctx, cfg)
	if err != nil {
		return nil, err
	}
	enc, err := segment.NewEncoder(segment.DefaultLevel)
	if err != nil {
		return nil, err
	}
	r := &repair{audit: a, archive: m, encoder: enc, done: &a.report.Repairs}
	if err := removeTemporary(dir); err != nil {
		return nil, err
	}
	if r.dir, err = os.MkdirTemp(dir, temporary); err != nil {
		return nil, err
	}
	err = r.run(ctx)
	return &a.report, errors.Join(err, os.RemoveAll(r.dir))
}

// temporary begins the name of the directory for temporary files; digits follow.
const temporary = "repair-"

// removeTemporary removes the directories of repairs that were killed.
func removeTemporary(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if number, ok := strings.CutPrefix(e.Name(), temporary); ok && e.IsDir() && strings.Trim(number, "0123456789") == "" {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func (r *repair) run(ctx context.Context) error {
	err := r.compare(ctx, func(rows *schema.Rows) error {
		r.done.Rows += int64(rows.Len())
		return r.Table.Put(ctx, rows)
	})
	if err == nil { // an entry says that rows are stored: they are first
		err = r.Table.Flush(ctx)
	}
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

// enterStreams writes missing and outdated directory rows.
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

// leave reports what is not repaired.
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

package audit

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sluice/archive/index"
	"sluice/ingest/segment"
	"sluice/schema"
)

// Snapshot is the content of archive and spool at some moment. A collector removes a segment from
// its spool when archive and table have it, durably. So a file that was in the archive, and has no
// ranges in the spool, is in a table that is opened after that.
type Snapshot struct {
	files  map[string]bool
	ranges map[schema.StreamID][]schema.Range
}

// Look must be called before the table is opened, if a collector may be running. spoolDir is the
// directory of its segments.
func Look(ctx context.Context, a index.Archive, spoolDir string) (*Snapshot, error) {
	s := &Snapshot{files: map[string]bool{}, ranges: map[schema.StreamID][]schema.Range{}}
	list, err := a.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		s.files[f.Name] = true
	}
	names, err := fs.Glob(os.DirFS(spoolDir), "*/*.gz*")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, segment.StoredSuffix) {
			continue
		}
		if err := s.read(filepath.Join(spoolDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) { // stored meanwhile
			return nil, err
		}
	}
	return s, nil
}

// read reads the headers of a segment, which may be growing.
func (s *Snapshot) read(name string) (err error) {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r := segment.NewReader(f, info.Size())
	for {
		m, err := r.Next()
		var torn *segment.FormatError
		if err == io.EOF || errors.As(err, &torn) {
			return nil
		}
		if err != nil {
			return err
		}
		s.ranges[m.Stream] = append(s.ranges[m.Stream], m.Range)
	}
}

// settled reports whether a member must be in the table.
func (s *Snapshot) settled(file string, m *index.Member) bool {
	return s == nil || s.files[file] && !slices.ContainsFunc(s.ranges[m.Stream], func(r schema.Range) bool {
		return r.Start < m.Range.End && m.Range.Start < r.End
	})
}

// inFlight returns the number of bytes of a stream in the spool beyond the stored position.
func (s *Snapshot) inFlight(id schema.StreamID, stored int64) (n int64) {
	if s == nil {
		return 0
	}
	for _, r := range s.ranges[id] {
		n += max(r.End, stored) - max(r.Start, stored)
	}
	return n
}

package columnar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"sluice/archive"
)

const (
	// maxFooterReads bounds the footers that are read concurrently: each takes a round trip to a
	// name node and a data node.
	maxFooterReads = 16
	// maxHeldFiles bounds the files that a snapshot keeps open; others are opened again when they
	// are read.
	maxHeldFiles = 256
)

// footer is a file of the tree with its parsed footer.
type footer struct {
	name   string // in the tree
	bytes  int64
	meta   *Meta
	file   *File
	source *source
}

// source opens a file on demand. It is safe for concurrent use.
type source struct {
	ctx   context.Context // that of the snapshot, as io.ReaderAt has none
	store ReadStore
	name  string

	mu     sync.Mutex
	reader archive.Reader // nil: not open
	users  int
	hold   bool // keep it open without users
}

// use opens the file if necessary. fs.ErrNotExist means that the file was replaced or pruned.
// release ends the use.
func (s *source) use() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader == nil {
		r, err := s.store.Open(s.ctx, s.name)
		if err != nil {
			return err
		}
		s.reader = r
	}
	s.users++
	return nil
}

func (s *source) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.users > 0 || s.hold {
		return nil
	}
	return s.close()
}

// drop ends the holding.
func (s *source) drop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = false
	if s.users > 0 {
		return nil
	}
	return s.close()
}

func (s *source) close() error {
	if s.reader == nil {
		return nil
	}
	r := s.reader
	s.reader = nil
	return r.Close()
}

// ReadAt implements io.ReaderAt during a use.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	r := s.reader
	s.mu.Unlock()
	if r == nil {
		return 0, fmt.Errorf("%s: read outside of its use", s.name)
	}
	return r.ReadAt(p, off)
}

// readFooters reads the footers of files, several at a time, in the order of the files. The first
// files stay open.
func (t *Table) readFooters(ctx context.Context, files []archive.File) ([]*footer, error) {
	footers := make([]*footer, len(files))
	group, ctx2 := errgroup.WithContext(ctx)
	group.SetLimit(maxFooterReads)
	for i, f := range files {
		if ctx2.Err() != nil {
			break
		}
		group.Go(func() (err error) {
			footers[i], err = t.readFooter(ctx, f, i < maxHeldFiles)
			if err != nil && t.o.SkipDamaged && errors.Is(err, ErrFile) {
				t.o.Log.Warn("table file is damaged and left out", "file", f.Name, "err", err)
				err = nil
			}
			return err
		})
	}
	err := group.Wait()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, dropAll(footers))
	}
	return slices.DeleteFunc(footers, func(f *footer) bool { return f == nil }), nil
}

func dropAll(footers []*footer) error {
	var errs []error
	for _, f := range footers {
		if f != nil {
			errs = append(errs, f.source.drop())
		}
	}
	return errors.Join(errs...)
}

func (t *Table) readFooter(ctx context.Context, f archive.File, hold bool) (_ *footer, err error) {
	s := &source{ctx: ctx, store: t.store, name: f.Name, hold: hold}
	if err := s.use(); err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, s.release())
		if err != nil {
			err = errors.Join(err, s.drop())
		}
	}()
	file, err := OpenFile(s, f.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return &footer{name: f.Name, bytes: f.Bytes, meta: file.Meta(), file: file, source: s}, nil
}

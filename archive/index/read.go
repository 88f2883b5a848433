package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"sluice/archive"
	"sluice/ingest/segment"
)

const (
	headerWindowBytes = 64 << 10
	dataWindowBytes   = 1 << 20
)

// window reads a file from front to back in large pieces, because a request to HDFS for every
// member would be slow. A read longer than a piece is done directly.
type window struct {
	src  io.ReaderAt
	size int64
	buf  []byte
	at   int64
}

func newWindow(src io.ReaderAt, size int64, windowBytes int) *window {
	return &window{src: src, size: size, buf: make([]byte, 0, windowBytes)}
}

func (w *window) ReadAt(p []byte, off int64) (int, error) {
	end := off + int64(len(p))
	if off >= w.at && end <= w.at+int64(len(w.buf)) {
		return copy(p, w.buf[off-w.at:]), nil
	}
	if len(p) >= cap(w.buf) || off < 0 || end > w.size {
		return w.src.ReadAt(p, off)
	}
	w.at, w.buf = off, w.buf[:min(int64(cap(w.buf)), w.size-off)]
	n, err := w.src.ReadAt(w.buf, off)
	w.buf = w.buf[:n]
	if n < len(p) {
		return copy(p, w.buf), cmp.Or(err, io.ErrUnexpectedEOF)
	}
	return copy(p, w.buf), nil
}

// Reader reads members of a catalog; reading them in the order of the files is fastest. It is not
// safe for concurrent use. The caller must call Close.
type Reader struct {
	catalog     *Catalog
	windowBytes int
	file        int32 // -1: none is open
	src         archive.Reader
	segment     *segment.Reader
}

// NewReader returns a reader without an open file.
func (c *Catalog) NewReader() *Reader { return c.newReader(dataWindowBytes) }

func (c *Catalog) newReader(windowBytes int) *Reader {
	return &Reader{catalog: c, windowBytes: windowBytes, file: -1}
}

// Segment returns the segment.Reader of the member's file.
func (r *Reader) Segment(ctx context.Context, m *Member) (*segment.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.file == m.File {
		return r.segment, nil
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	src, err := r.catalog.archive.Open(ctx, r.catalog.Files[m.File].Name)
	if err != nil {
		return nil, err
	}
	r.file, r.src = m.File, src
	r.segment = segment.NewReader(newWindow(src, src.Size(), r.windowBytes), src.Size())
	return r.segment, nil
}

// Data returns the member's bytes as in the log, valid until the next call. Damage of the member is
// a *segment.FormatError.
func (r *Reader) Data(ctx context.Context, m *Member) ([]byte, error) {
	s, err := r.Segment(ctx, m)
	if err != nil {
		return nil, err
	}
	s.At(m.Member)
	data, err := s.Data()
	if err != nil {
		return nil, fmt.Errorf("archive file %s: %w", r.catalog.Files[m.File].Name, err)
	}
	return data, nil
}

// Close closes the open file.
func (r *Reader) Close() error {
	if r.file < 0 {
		return nil
	}
	r.file = -1
	return r.src.Close()
}

// Workers returns the number of files that Walk reads concurrently.
func Workers() int { return min(runtime.GOMAXPROCS(0), 8) }

// Walk reads every member: several files concurrently, the members of one file in their order.
// visit gets the worker (0 to Workers()-1), the member's index, and its bytes, valid until visit
// returns, or bad, the damage of the member. The first other error ends the walk.
func (c *Catalog) Walk(ctx context.Context, visit func(worker int, i int32, data []byte, bad *segment.FormatError) error) error {
	files := make(chan int)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(files)
		for i := range c.Files {
			select {
			case files <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for worker := range Workers() {
		group.Go(func() (err error) {
			r := c.NewReader()
			defer func() { err = errors.Join(err, r.Close()) }()
			for i := range files {
				f := &c.Files[i]
				for m := f.First; m < f.First+f.Members; m++ {
					data, err := r.Data(ctx, &c.Members[m])
					var bad *segment.FormatError
					if err != nil && !errors.As(err, &bad) {
						return err
					}
					if err := visit(worker, int32(m), data, bad); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	return group.Wait()
}

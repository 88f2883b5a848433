package hdfs

import (
	"context"
	"io"
	"sync"
	"time"

	dfs "github.com/colinmarc/hdfs/v2"

	"sluice/archive"
)

// reader implements archive.Reader. It keeps its client, so that further reads need no new
// connection; a failed read is retried with another client.
type reader struct {
	ctx   context.Context // that of Open, as io.ReaderAt has none
	calls *caller
	root  root
	name  string
	size  int64

	mu     sync.Mutex
	client *client // nil: not connected
	file   *dfs.FileReader
}

// Open implements archive.Archive. ReadAt fails when ctx has ended.
func (a *Archive) Open(ctx context.Context, name string) (archive.Reader, error) {
	if err := archive.CheckName(name); err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, calls: a.calls, root: a.root, name: name}
	err := a.calls.retry(ctx, "open "+name, r.open)
	if err != nil {
		return nil, a.root.on(name, "open", err)
	}
	r.size = r.file.Stat().Size()
	return r, nil
}

// open makes one attempt.
func (r *reader) open(by time.Time) error {
	c, err := r.calls.pool.take(r.ctx, by)
	if err != nil {
		return err
	}
	f, err := c.Client.Open(r.root.path(r.name))
	if err == nil && f.Stat().IsDir() {
		err = errDirectory
	}
	if err != nil {
		err = c.because(err)
		r.calls.pool.done(c, err)
		return err
	}
	r.client, r.file = c, f
	return nil
}

func (r *reader) Size() int64 { return r.size }

func (r *reader) ReadAt(p []byte, offset int64) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if offset >= r.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), r.size-offset)]
	err = r.calls.retry(r.ctx, "read "+r.name, func(by time.Time) error {
		if r.client == nil {
			if err := r.open(by); err != nil {
				return err
			}
		}
		_, err := r.file.Seek(offset, io.SeekStart)
		if err == nil {
			n, err = io.ReadFull(r.file, want)
		}
		if err != nil {
			err = r.client.because(err)
			r.calls.pool.done(r.client, err)
			r.client = nil
		}
		return err
	})
	if err != nil {
		return n, r.root.on(r.name, "read", err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client == nil {
		return nil
	}
	err := r.file.Close()
	r.calls.pool.done(r.client, err)
	r.client = nil
	return err
}

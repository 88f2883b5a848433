package hdfs

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	dfs "github.com/colinmarc/hdfs/v2"

	"sluice/archive"
)

const (
	writeBytes = 1 << 20
	// closePause is the time between two attempts to close a file while data nodes report its last
	// block; closeTries bounds them.
	closePause = 200 * time.Millisecond
	closeTries = 300
)

var errReadOnly = errors.New("it was opened for reading only")

// Store implements archive.Archive.
func (a *Archive) Store(ctx context.Context, localPath, name string) error {
	err := a.fromFile(ctx, localPath, name, a.place)
	return a.on(name, "store "+localPath+" as", err)
}

// Replace implements archive.Archive.
func (a *Archive) Replace(ctx context.Context, localPath, name string) error {
	err := a.fromFile(ctx, localPath, name, a.replace)
	return a.on(name, "replace", err)
}

// source is an open local file.
type source struct {
	*os.File
	bytes int64
}

func openSource(localPath string) (source, error) {
	f, err := os.Open(localPath)
	if err != nil {
		return source{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return source{}, errors.Join(err, f.Close())
	}
	return source{File: f, bytes: info.Size()}, nil
}

// fromFile calls put until it succeeds. put may write tmp, a new name each time.
func (a *Archive) fromFile(ctx context.Context, localPath, name string, put func(ctx context.Context, c *client, src source, tmp, final string) error) (err error) {
	if err := archive.CheckName(name); err != nil {
		return err
	}
	if a.o.Owner == "" {
		return errReadOnly
	}
	src, err := openSource(localPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	select {
	case a.uploads <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-a.uploads }()
	var left string // by the last attempt
	err = a.again(ctx, "store "+name, func(c *client) error {
		if left != "" {
			if err := remove(c, left); err != nil {
				return err
			}
		}
		left = a.tmpName()
		attempt, cancel := context.WithTimeout(ctx, archive.MaxUploadTime)
		defer cancel()
		return put(attempt, c, src, left, a.path(name))
	})
	if err != nil && left != "" {
		a.discard(ctx, left)
	}
	return err
}

// discard makes one attempt to remove the temporary file of a failed upload; otherwise Sweep
// removes it.
func (a *Archive) discard(ctx context.Context, tmp string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if err := a.pool.do(ctx, func(c *client) error { return remove(c, tmp) }); err != nil {
		a.o.Logger.Warn("cannot remove the temporary file of an upload, will retry at the next start", "path", tmp, "err", err)
	}
}

// place is one attempt of Store.
func (a *Archive) place(ctx context.Context, c *client, src source, tmp, final string) error {
	// An earlier attempt may have placed the file and failed after that.
	switch there, err := a.sameAs(ctx, c, src, final); {
	case err != nil:
		return err
	case there:
		return nil
	}
	if err := a.mkdirAll(c, a.tmpDir()); err != nil {
		return err
	}
	if err := a.upload(ctx, c, src, tmp); err != nil {
		return err
	}
	if err := a.mkdirAll(c, path.Dir(final)); err != nil {
		return err
	}
	// Rename overwrites: check again, though each name has one owner.
	switch err := regular(c, final); {
	case err == nil:
		return archive.ErrConflict
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return c.Rename(tmp, final)
}

// replace is one attempt of Replace.
func (a *Archive) replace(ctx context.Context, c *client, src source, tmp, final string) error {
	if err := regular(c, final); err != nil {
		return err
	}
	if err := a.mkdirAll(c, a.tmpDir()); err != nil {
		return err
	}
	if err := a.upload(ctx, c, src, tmp); err != nil {
		return err
	}
	return c.Rename(tmp, final)
}

// sameAs reports whether final has the bytes of src. It returns archive.ErrConflict if it has
// others.
func (a *Archive) sameAs(ctx context.Context, c *client, src source, final string) (bool, error) {
	err := regular(c, final)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	have, err := stored(c, final)
	if err != nil {
		return false, err
	}
	if have.bytes != src.bytes {
		return false, archive.ErrConflict
	}
	want, err := localChecksum(ctx, src, src.bytes, have.blockBytes)
	if err == nil && !bytes.Equal(have.sum, want) {
		err = archive.ErrConflict
	}
	return err == nil, err
}

// upload writes all of tmp, and verifies it.
func (a *Archive) upload(ctx context.Context, c *client, src source, tmp string) error {
	replication, blockBytes, err := a.shape(c)
	if err != nil {
		return err
	}
	dst, err := c.CreateFile(tmp, replication, blockBytes, a.o.Permissions)
	if err != nil {
		return err
	}
	sum := newChecksum(blockBytes)
	err = eachWrite(ctx, src, src.bytes, func(p []byte) error {
		_, _ = sum.Write(p) // cannot fail
		_, err := dst.Write(p)
		return errors.Join(err, c.whole())
	})
	if err != nil {
		// Close ends the library's goroutines. It must not reach the name node, which would
		// complete a partial file.
		c.abort()
		_ = dst.Close()
		return err
	}
	if err := a.finish(ctx, dst); err != nil {
		return err
	}
	have, err := stored(c, tmp)
	if err != nil {
		return err
	}
	if want := sum.sum(); have.bytes != src.bytes || !bytes.Equal(have.sum, want) {
		return fmt.Errorf("the copy has %d bytes with checksum %s, and %d with %s were written",
			have.bytes, hex.EncodeToString(have.sum), src.bytes, hex.EncodeToString(want))
	}
	return a.chown(c, tmp)
}

// finish closes the file. It retries only while the name node waits for data nodes: after another
// error a second Close may return nil although the file is incomplete.
func (a *Archive) finish(ctx context.Context, dst *dfs.FileWriter) error {
	err := dst.Close()
	for range closeTries {
		if !dfs.IsErrReplicating(err) {
			return err
		}
		if err := a.waiting(ctx, closePause); err != nil {
			return err
		}
		err = dst.Close()
	}
	return err
}

// shape returns replication and block size of a new file.
func (a *Archive) shape(c *client) (replication int, blockBytes int64, err error) {
	if replication, blockBytes = a.o.Replication, a.o.BlockBytes; replication > 0 && blockBytes > 0 {
		return replication, blockBytes, nil
	}
	defaults, err := c.ServerDefaults()
	if err != nil {
		return 0, 0, err
	}
	if replication == 0 {
		replication = defaults.Replication
	}
	if blockBytes == 0 {
		blockBytes = defaults.BlockSize
	}
	return replication, blockBytes, nil
}

// state is what the name node returns for a file.
type state struct {
	bytes, blockBytes int64
	sum               []byte
}

func stored(c *client, name string) (state, error) {
	r, err := c.Client.Open(name)
	if err != nil {
		return state{}, err
	}
	sum, err := r.Checksum()
	if err != nil {
		return state{}, fmt.Errorf("checksum of %s: %w", name, err)
	}
	info := r.Stat()
	sized, ok := info.Sys().(interface{ GetBlocksize() uint64 })
	if !ok || sized.GetBlocksize() == 0 {
		return state{}, fmt.Errorf("%s: no block size", name)
	}
	return state{bytes: info.Size(), blockBytes: int64(sized.GetBlocksize()), sum: sum}, r.Close()
}

// Mark implements archive.Archive.
func (a *Archive) Mark(ctx context.Context, dir string) error {
	if err := archive.CheckName(dir); err != nil {
		return err
	}
	if a.o.Owner == "" {
		return errReadOnly
	}
	err := a.again(ctx, "mark "+dir, func(c *client) error {
		if err := a.mkdirAll(c, a.path(dir)); err != nil {
			return err
		}
		done := path.Join(a.path(dir), archive.DoneFile)
		if err := regular(c, done); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		replication, blockBytes, err := a.shape(c)
		if err != nil {
			return err
		}
		// Renamed, so that a file whose Close failed is left to Sweep, and is not a mark.
		if err := a.mkdirAll(c, a.tmpDir()); err != nil {
			return err
		}
		tmp := a.tmpName()
		w, err := c.CreateFile(tmp, replication, blockBytes, a.o.Permissions)
		if err != nil {
			return err
		}
		if err := a.finish(ctx, w); err != nil {
			return err
		}
		if err := a.chown(c, tmp); err != nil {
			return err
		}
		return c.Rename(tmp, done)
	})
	return a.on(dir, "mark as complete", err)
}

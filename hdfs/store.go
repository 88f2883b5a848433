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

	"sluice/archive"
)

const (
	writeBytes = 1 << 20
	// cleanupTime bounds the clean-up after ctx has ended; the next start's Sweep does the rest.
	cleanupTime = 5 * time.Second
)

var errReadOnly = errors.New("it was opened for reading only")

// Store implements archive.Archive.
func (a *Archive) Store(ctx context.Context, localPath, name string) error {
	err := a.uploads.fromFile(ctx, localPath, name, a.root.path(name), a.uploads.place)
	return a.root.on(name, "store "+localPath+" as", err)
}

// Replace implements archive.Archive.
func (a *Archive) Replace(ctx context.Context, localPath, name string) error {
	err := a.uploads.fromFile(ctx, localPath, name, a.root.path(name), a.uploads.replace)
	return a.root.on(name, "replace", err)
}

// uploader copies local files to the archive. It is safe for concurrent use.
type uploader struct {
	calls   *caller
	creator *creator
	temp    *tempFiles
	slots   chan struct{} // one for each upload that may run
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
func (u *uploader) fromFile(ctx context.Context, localPath, name, final string, put func(ctx context.Context, c *client, src source, tmp, final string) error) (err error) {
	if err := archive.CheckName(name); err != nil {
		return err
	}
	if u.temp.names == nil {
		return errReadOnly
	}
	src, err := openSource(localPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	select {
	case u.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-u.slots }()
	var left string // by the last attempt
	err = u.calls.again(ctx, "store "+name, func(c *client) error {
		if left != "" {
			if err := remove(c, left); err != nil {
				return err
			}
		}
		left = u.temp.next()
		attempt, cancel := context.WithTimeout(ctx, archive.MaxUploadTime)
		defer cancel()
		return put(attempt, c, src, left, final)
	})
	if err != nil && left != "" {
		u.temp.discard(ctx, left)
	}
	return err
}

// place is one attempt of Store.
func (u *uploader) place(ctx context.Context, c *client, src source, tmp, final string) error {
	// An earlier attempt may have placed the file and failed after that.
	switch there, err := sameAs(ctx, c, src, final); {
	case err != nil:
		return err
	case there:
		return nil
	}
	if err := u.creator.mkdirAll(c, u.temp.dir); err != nil {
		return err
	}
	if err := u.upload(ctx, c, src, tmp); err != nil {
		return err
	}
	if err := u.creator.mkdirAll(c, path.Dir(final)); err != nil {
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
func (u *uploader) replace(ctx context.Context, c *client, src source, tmp, final string) error {
	if err := regular(c, final); err != nil {
		return err
	}
	if err := u.creator.mkdirAll(c, u.temp.dir); err != nil {
		return err
	}
	if err := u.upload(ctx, c, src, tmp); err != nil {
		return err
	}
	return c.Rename(tmp, final)
}

// sameAs reports whether final has the bytes of src. It returns archive.ErrConflict if it has
// others.
func sameAs(ctx context.Context, c *client, src source, final string) (bool, error) {
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
func (u *uploader) upload(ctx context.Context, c *client, src source, tmp string) error {
	dst, blockBytes, err := u.creator.create(c, tmp)
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
	if err := u.creator.finish(ctx, dst); err != nil {
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
	return u.creator.chown(c, tmp)
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
	if a.temp.names == nil {
		return errReadOnly
	}
	err := a.calls.again(ctx, "mark "+dir, func(c *client) error { return a.uploads.mark(ctx, c, a.root.path(dir)) })
	return a.root.on(dir, "mark as complete", err)
}

// mark is one attempt of Mark.
func (u *uploader) mark(ctx context.Context, c *client, dir string) error {
	if err := u.creator.mkdirAll(c, dir); err != nil {
		return err
	}
	done := path.Join(dir, archive.DoneFile)
	if err := regular(c, done); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Renamed, so that a file whose Close failed is left to Sweep, and is not a mark.
	if err := u.creator.mkdirAll(c, u.temp.dir); err != nil {
		return err
	}
	tmp := u.temp.next()
	if err := u.creator.empty(ctx, c, tmp); err != nil {
		return err
	}
	if err := u.creator.chown(c, tmp); err != nil {
		return err
	}
	return c.Rename(tmp, done)
}

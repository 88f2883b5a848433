package localdir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sluice/archive"
)

const copyBufferBytes = 1 << 20

// castagnoli is immutable.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Store implements archive.Archive.
func (a *Archive) Store(ctx context.Context, localPath, name string) error {
	err := archive.CheckName(name)
	if err == nil {
		err = a.store(ctx, localPath, a.path(name))
	}
	if err != nil {
		return fmt.Errorf("archive %s: store %s as %s: %w", a.root, localPath, name, err)
	}
	return nil
}

func (a *Archive) store(ctx context.Context, localPath, final string) error {
	src, err := openRegular(localPath)
	if err != nil {
		return err
	}
	err = a.place(ctx, src, final)
	return errors.Join(err, src.Close())
}

// openRegular opens a regular file, and rejects directories and devices.
func openRegular(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (a *Archive) place(ctx context.Context, src *os.File, final string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir := filepath.Dir(final)
	if err := mkdirAll(dir); err != nil {
		return err
	}
	// An earlier Store may have placed the file and failed after that.
	if stored, err := alreadyThere(ctx, src, final); err != nil {
		return err
	} else if stored {
		return syncDir(dir)
	}
	err := a.placeLink(src, final)
	if linkImpossible(err) {
		err = a.placeCopy(ctx, src, final)
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// placeLink gives src a second name; it fails if the name exists. The data is synced first, as a
// file other than a sealed segment may not be.
func (a *Archive) placeLink(src *os.File, final string) error {
	if err := src.Sync(); err != nil {
		return err
	}
	return a.link(src.Name(), final)
}

// linkImpossible reports whether err means that a copy is needed: another file system, one without
// links, too many links, or (EPERM) a file that Linux lets only its owner link.
func linkImpossible(err error) bool {
	for _, e := range []error{syscall.EXDEV, syscall.EPERM, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.EMLINK} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// placeCopy copies src into _tmp, compares, and renames.
func (a *Archive) placeCopy(ctx context.Context, src *os.File, final string) error {
	tmp := a.tmpName()
	err := writeCopy(ctx, src, tmp)
	if err == nil {
		err = os.Rename(tmp, final)
	}
	if err == nil {
		return nil
	}
	if gone := os.Remove(tmp); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// writeCopy makes tmp a synced copy of src and reads it back.
func writeCopy(ctx context.Context, src *os.File, tmp string) error {
	dst, err := createNew(tmp)
	if err != nil {
		return err
	}
	read := newSum()
	_, err = io.CopyBuffer(plainWriter{dst}, io.TeeReader(fromStart(ctx, src), read), make([]byte, copyBufferBytes))
	if err == nil {
		err = dst.Sync()
	}
	if err == nil {
		err = compare(ctx, dst, read)
	}
	return errors.Join(err, dst.Close())
}

// plainWriter hides ReadFrom, which would bypass the checksum.
type plainWriter struct{ io.Writer }

// sum is a writer that computes length and CRC-32C.
type sum struct {
	hash.Hash32
	bytes int64
}

func newSum() *sum { return &sum{Hash32: crc32.New(castagnoli)} }

func (s *sum) Write(p []byte) (int, error) {
	s.bytes += int64(len(p))
	return s.Hash32.Write(p)
}

func compare(ctx context.Context, copied *os.File, want *sum) error {
	got := newSum()
	if _, err := io.CopyBuffer(got, fromStart(ctx, copied), make([]byte, copyBufferBytes)); err != nil {
		return err
	}
	if got.bytes != want.bytes || got.Sum32() != want.Sum32() {
		return fmt.Errorf("the copy has %d bytes with checksum %08x, and %d with %08x were written: the disk or its memory is faulty",
			got.bytes, got.Sum32(), want.bytes, want.Sum32())
	}
	return nil
}

// alreadyThere reports whether final has the bytes of src. It returns archive.ErrConflict if it has
// others.
func alreadyThere(ctx context.Context, src *os.File, final string) (bool, error) {
	old, err := openRegular(final)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	same, err := sameBytes(ctx, src, old)
	if err == nil && !same {
		err = archive.ErrConflict
	}
	return same, errors.Join(err, old.Close())
}

func sameBytes(ctx context.Context, a, b *os.File) (bool, error) {
	aInfo, err := a.Stat()
	if err != nil {
		return false, err
	}
	bInfo, err := b.Stat()
	if err != nil {
		return false, err
	}
	if os.SameFile(aInfo, bInfo) {
		return true, nil
	}
	if aInfo.Size() != bInfo.Size() {
		return false, nil
	}
	aBuf, bBuf := make([]byte, copyBufferBytes), make([]byte, copyBufferBytes)
	aFrom, bFrom := fromStart(ctx, a), fromStart(ctx, b)
	for {
		n, aErr := io.ReadFull(aFrom, aBuf)
		m, bErr := io.ReadFull(bFrom, bBuf)
		if !bytes.Equal(aBuf[:n], bBuf[:m]) {
			return false, nil
		}
		if aErr == io.EOF || aErr == io.ErrUnexpectedEOF {
			return true, nil
		}
		if err := errors.Join(aErr, bErr); err != nil {
			return false, err
		}
	}
}

// fromStart reads f from its beginning until ctx ends.
func fromStart(ctx context.Context, f *os.File) io.Reader {
	return &ctxReader{ctx: ctx, file: f}
}

type ctxReader struct {
	ctx    context.Context
	file   *os.File
	offset int64
}

func (r *ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.file.ReadAt(p, r.offset)
	r.offset += int64(n)
	return n, err
}

package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// OpenSuffix marks a segment that is not sealed.
const OpenSuffix = ".open"

const (
	dirPerm  fs.FileMode = 0o750 // logs contain personal data: addresses of clients
	filePerm fs.FileMode = 0o640
)

// Writer appends batches to one open segment. It is safe for concurrent use: a caller can append
// while another goroutine waits in Sync, so that several batches share one fsync.
//
// After an error of writing or syncing the state of the file's tail is unknown, and every later
// call fails. Call Close and Recover, and use the members that Recover returns.
type Writer struct {
	fsys vfs.FS
	path string // with OpenSuffix
	file vfs.File

	mu        sync.Mutex
	size      int64 // offset of the next member
	synced    int64 // length that is on disk
	described described
	err       error // the first failure
	closed    bool
}

// Create creates the segment whose sealed name is path (ending in .gz), and missing directories. It
// returns fs.ErrExist if the segment exists, open or sealed. When it returns, the empty segment is
// durable.
func Create(fsys vfs.FS, path string) (*Writer, error) {
	w := &Writer{fsys: fsys, path: path + OpenSuffix}
	if err := w.create(); err != nil {
		return nil, fmt.Errorf("segment: create %s: %w", w.path, err)
	}
	return w, nil
}

func (w *Writer) create() error {
	dir := filepath.Dir(w.path)
	if err := vfs.MkdirAll(w.fsys, dir, dirPerm); err != nil {
		return err
	}
	if err := mustNotExist(w.fsys, sealedPath(w.path)); err != nil {
		return err
	}
	f, err := w.fsys.OpenFile(w.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, filePerm)
	if err != nil {
		return err
	}
	if err := w.fsys.SyncDir(dir); err != nil {
		return errors.Join(err, f.Close(), w.fsys.Remove(w.path))
	}
	w.file = f
	return nil
}

// Append compresses the batch with enc, writes it as one member and returns its description. The
// first member of a stream, and the first after its format or labels changed, has the stream's
// entry. The batch is durable after a Sync that was called after Append returned. b.Data is not
// kept. A batch that differs from its Range or Lines is rejected, and the segment remains usable.
func (w *Writer) Append(enc *Encoder, b schema.Batch) (Member, error) {
	entry, err := w.missingEntry(b.Stream, b.Labels)
	if err != nil {
		return Member{}, fmt.Errorf("segment: append to %s: %w", w.path, err)
	}
	data, m, err := enc.encode(b, entry)
	if err != nil {
		return Member{}, fmt.Errorf("segment: append to %s: %w", w.path, err)
	}
	return w.write(data, m, b.Stream, b.Labels)
}

// Copy checks the member m of another segment and appends it: the same deflate data and trailer
// below a new header, with the stream's entry if this segment does not have it. If m is damaged
// Copy returns a *FormatError and writes nothing.
func (w *Writer) Copy(from *Reader, m Member, e *schema.StreamEntry) (Member, error) {
	from.At(m)
	if _, err := from.Data(); err != nil {
		return Member{}, err
	}
	entry, err := w.missingEntry(&e.Stream, e.Labels)
	if err != nil {
		return Member{}, fmt.Errorf("segment: copy to %s: %w", w.path, err)
	}
	data := make([]byte, headerBytes, len(from.raw)+entryFrameBytes+len(entry))
	body := from.raw[m.headBytes():]
	if m.EntryBytes = len(entry); entry != nil {
		data = appendEntry(data, entry)
	}
	data = append(data, body...)
	m.Bytes = int64(len(data))
	return w.write(data, m, &e.Stream, e.Labels)
}

// missingEntry returns the entry that the stream's next member must have. Two concurrent callers
// may both get it; an entry may be in a segment twice.
func (w *Writer) missingEntry(s *schema.Stream, labels map[string]string) ([]byte, error) {
	if s == nil {
		return nil, nil // encode returns an error
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.described.missing(s, labels)
}

// write appends an encoded member to the file.
func (w *Writer) write(data []byte, m Member, s *schema.Stream, labels map[string]string) (Member, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return Member{}, w.stopped("append to")
	}
	m.Offset = w.size
	putHeader(data, m, w.synced)
	if _, err := w.file.WriteAt(data, w.size); err != nil {
		return Member{}, w.poison("append to", err)
	}
	w.size = m.End()
	if m.EntryBytes > 0 {
		if w.described == nil {
			w.described = described{}
		}
		w.described[s.ID] = description{*s, maps.Clone(labels)}
	}
	return m, nil
}

// Sync waits until all that was appended before the call is on disk.
func (w *Writer) Sync() error {
	w.mu.Lock()
	size, synced, failed := w.size, w.synced, w.err
	w.mu.Unlock()
	if failed != nil {
		return w.stopped("sync")
	}
	if size == synced {
		return nil
	}
	err := w.file.Sync() // without the lock, so that Append can continue
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		return w.poison("sync", err)
	}
	if w.err != nil {
		// Another Sync failed meanwhile. The kernel reports a lost page to only one of the two
		// callers, so this one's success proves nothing.
		return w.stopped("sync")
	}
	w.synced = max(w.synced, size)
	return nil
}

// Size returns the file's length in bytes, synced or not.
func (w *Writer) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size
}

// Path returns the file's present name, with OpenSuffix.
func (w *Writer) Path() string { return w.path }

// Seal syncs and closes the segment, renames it to its final name and returns that. A segment
// without members is removed instead, and the name is empty. No other call may run at the same time
// or follow.
func (w *Writer) Seal() (string, error) {
	if err := w.Sync(); err != nil {
		return "", errors.Join(err, w.Close())
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if w.size == 0 {
		return "", remove(w.fsys, w.path)
	}
	return Seal(w.fsys, w.path)
}

// Close closes the file and leaves the segment open, for Recover.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	if w.err == nil {
		w.err = fs.ErrClosed
	}
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("segment: close %s: %w", w.path, err)
	}
	return nil
}

func (w *Writer) poison(what string, err error) error {
	if w.err == nil {
		w.err = err
	}
	return fmt.Errorf("segment: %s %s: %w", what, w.path, err)
}

func (w *Writer) stopped(what string) error {
	return fmt.Errorf("segment: %s %s: not usable after an earlier error: %w", what, w.path, w.err)
}

// Seal renames a synced open segment, as Recover leaves it, to its final name and returns that. It
// never replaces a file.
func Seal(fsys vfs.FS, openPath string) (string, error) {
	sealed := sealedPath(openPath)
	if sealed == openPath {
		return "", fmt.Errorf("segment: seal %s: the name of an open segment ends in %s", openPath, OpenSuffix)
	}
	err := mustNotExist(fsys, sealed)
	if err == nil {
		err = fsys.Rename(openPath, sealed)
	}
	if err == nil {
		err = fsys.SyncDir(filepath.Dir(sealed))
	}
	if err != nil {
		return "", fmt.Errorf("segment: seal %s: %w", openPath, err)
	}
	return sealed, nil
}

func sealedPath(openPath string) string { return strings.TrimSuffix(openPath, OpenSuffix) }

func mustNotExist(fsys vfs.FS, path string) error {
	_, err := fsys.Stat(path)
	if err == nil {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func remove(fsys vfs.FS, path string) error {
	err := fsys.Remove(path)
	if err == nil {
		err = fsys.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("segment: remove the empty %s: %w", path, err)
	}
	return nil
}

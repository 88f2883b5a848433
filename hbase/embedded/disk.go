package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is the file system under a table that is written. Pebble tries a failed
// flush again at once and for ever, tells nobody, and lets writers wait; a failed
// write of its manifest it takes for the end of the process. So the disk remembers
// the first write that failed, and from then on the table is done: Put and Flush
// return that error, and Pebble's next attempt is held until the table is closed.
// What is on the disk stays a whole table; opening it again goes on from there.
//
// While the table is being opened nobody else could end the attempts, and pebble.Open
// would never return. So a write that fails then, and each one after it, succeeds for
// Pebble and changes nothing: the disk is left as a crash would leave it, Open returns,
// and the failure is its error.
type disk struct {
	vfs.FS
	failed  chan struct{} // closed after err was set
	closing chan struct{} // closed by Close
	once    sync.Once
	err     error
	open    atomic.Bool // Open has returned, or is about to
	nowhere vfs.FS      // takes what is written after a failure while the table is opened
}

func newDisk(fs vfs.FS) *disk {
	return &disk{FS: fs, failed: make(chan struct{}), closing: make(chan struct{}), nowhere: vfs.NewMem()}
}

// fail records the first failure.
func (d *disk) fail(err error) {
	d.once.Do(func() {
		d.err = err
		close(d.failed)
	})
}

// failure is the error that ended the table, nil while there is none.
func (d *disk) failure() error {
	select {
	case <-d.failed:
		return d.err
	default:
		return nil
	}
}

// lost reports whether writes are to be lost without Pebble knowing it.
func (d *disk) lost() bool { return d.failure() != nil && !d.open.Load() }

// check records err, if it is one, as what happened to name, and returns what Pebble
// is to know of it.
func (d *disk) check(op, name string, err error) error {
	var path *fs.PathError
	switch {
	case err == nil:
	case errors.As(err, &path): // says it already
		d.fail(err)
	default:
		d.fail(fmt.Errorf("%s %s: %w", op, name, err))
	}
	if d.lost() {
		return nil
	}
	return err
}

func (d *disk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.failure(); err != nil && d.open.Load() {
		<-d.closing
		return nil, err
	}
	if d.lost() {
		return d.nowhere.Create(d.PathBase(name), category)
	}
	f, err := d.FS.Create(name, category)
	if err != nil {
		if err := d.check("create", name, err); err != nil {
			return nil, err
		}
		return d.nowhere.Create(d.PathBase(name), category)
	}
	return &diskFile{File: f, disk: d, name: name}, nil
}

func (d *disk) Rename(from, to string) error {
	if d.lost() {
		return nil
	}
	return d.check("rename to", to, d.FS.Rename(from, to))
}

func (d *disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &diskDir{diskFile{File: f, disk: d, name: name}}, nil
}

// Remove leaves everything as it is once a write has failed: what was to take the
// file's place may not be there.
func (d *disk) Remove(name string) error {
	if d.lost() {
		return nil
	}
	if err := d.failure(); err != nil {
		return err
	}
	return d.FS.Remove(name)
}

// Lock says in our words that another process has the table.
func (d *disk) Lock(name string) (io.Closer, error) {
	lock, err := d.FS.Lock(name)
	var path *fs.PathError
	var errno syscall.Errno
	switch {
	case err == nil || errors.As(err, &path): // the file itself cannot be made
		return lock, err
	case errors.As(err, &errno) && errno != syscall.EAGAIN && errno != syscall.EACCES:
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return nil, ErrLocked // by another process, or by this one, for which Pebble has no error of its own
}

func (d *disk) Unwrap() vfs.FS { return d.FS }

// diskFile is a file that is written.
type diskFile struct {
	vfs.File
	disk *disk
	name string
}

func (f *diskFile) Write(b []byte) (int, error) {
	if f.disk.lost() {
		return len(b), nil
	}
	n, err := f.File.Write(b)
	if err != nil && f.disk.check("write", f.name, err) == nil {
		return len(b), nil
	}
	return n, err
}

func (f *diskFile) Sync() error {
	return f.disk.check("sync", f.name, f.File.Sync())
}

func (f *diskFile) SyncData() error {
	return f.disk.check("sync", f.name, f.File.SyncData())
}

func (f *diskFile) SyncTo(n int64) (bool, error) {
	full, err := f.File.SyncTo(n)
	return full, f.disk.check("sync", f.name, err)
}

func (f *diskFile) Close() error {
	return f.disk.check("close", f.name, f.File.Close())
}

// diskDir is the folder, which is only synced.
type diskDir struct{ diskFile }

// Sync records an error and does not return it: Pebble answers it with a panic.
// Nobody takes that for a success, for every call of ours asks the disk at its end.
func (f *diskDir) Sync() error {
	_ = f.disk.check("sync", f.name, f.File.Sync())
	return nil
}

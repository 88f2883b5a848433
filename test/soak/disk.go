package soak

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// disk is a small file system in memory that can be filled.
type disk struct {
	dir string

	mu      sync.Mutex
	full    bool
	emptied time.Time // last time
}

// fullAtLast is how long the disk is filled at the end if no fault filled it.
const fullAtLast = 5 * time.Second

// mountDisk mounts a disk on dir, which requires root. The caller must call unmount.
func mountDisk(dir string, bytes int64) (*disk, error) {
	if err := unix.Mount("sluice-soak", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, fmt.Sprintf("size=%d,mode=0700", bytes)); err != nil {
		return nil, fmt.Errorf("mount a small disk on %s: %w", dir, err)
	}
	return &disk{dir: dir}, nil
}

// unmount unmounts the disk and discards its content.
func (d *disk) unmount() error { return unix.Unmount(d.dir, unix.MNT_DETACH) }

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill fills the disk until no byte is free.
func (d *disk) fill() (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = true
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for n := 1 << 20; n > 0; {
		switch _, err := f.Write(make([]byte, n)); {
		case errors.Is(err, unix.ENOSPC):
			n /= 2
		case err != nil:
			return err
		}
	}
	return nil
}

// empty removes the file of fill.
func (d *disk) empty() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.emptied = false, time.Now()
	return os.Remove(d.ballast())
}

// wasFull reports whether the disk was full at any time since then.
func (d *disk) wasFull(since time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full || d.emptied.After(since)
}

// atLeastOnceFull fills the disk while the loads run, if no fault did.
func (d *disk) atLeastOnceFull(ctx context.Context, w *world) error {
	if d == nil || d.wasFull(time.Time{}) {
		return nil
	}
	w.journal.say("fault", fmt.Sprintf("fill the spool's disk for %v, for it never was", fullAtLast))
	err := d.fill()
	wait(ctx, fullAtLast)
	err = errors.Join(err, d.empty())
	w.journal.say("fault", "fill the spool's disk: over")
	return err
}

// fillDisk fills the disk, and empties it after the hold.
func fillDisk(d *disk, weight int, maxHold time.Duration) fault {
	return fault{
		name: "fill the spool's disk", claims: []string{"disk"}, weight: weight, maxHold: maxHold,
		begin: func(context.Context, *world, uint64) error { return d.fill() },
		end:   func(context.Context, *world) error { return d.empty() },
	}
}

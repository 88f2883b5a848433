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

// Disk is a small file system in memory that can be filled.
type Disk struct {
	Dir string

	mu      sync.Mutex
	full    bool
	emptied time.Time // last time
}

// fullAtLast is how long the disk is filled at the end if no fault filled it.
const fullAtLast = 5 * time.Second

// MountDisk mounts a disk on dir, which requires root. The caller must call Unmount.
func MountDisk(dir string, bytes int64) (*Disk, error) {
	if err := unix.Mount("sluice-soak", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, fmt.Sprintf("size=%d,mode=0700", bytes)); err != nil {
		return nil, fmt.Errorf("mount a small disk on %s: %w", dir, err)
	}
	return &Disk{Dir: dir}, nil
}

// Unmount unmounts the disk and discards its content.
func (d *Disk) Unmount() error { return unix.Unmount(d.Dir, unix.MNT_DETACH) }

func (d *Disk) ballast() string { return filepath.Join(d.Dir, "ballast") }

// Fill fills the disk until no byte is free.
func (d *Disk) Fill() (err error) {
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

// Empty removes the file of Fill.
func (d *Disk) Empty() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.emptied = false, time.Now()
	return os.Remove(d.ballast())
}

// WasFull reports whether the disk was full at any time since then.
func (d *Disk) WasFull(since time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full || d.emptied.After(since)
}

// atLeastOnceFull fills the disk while the loads run, if no fault did.
func (d *Disk) atLeastOnceFull(ctx context.Context, w *World) error {
	if d == nil || d.WasFull(time.Time{}) {
		return nil
	}
	w.Journal.Say("fault", fmt.Sprintf("fill the spool's disk for %v, for it never was", fullAtLast))
	err := d.Fill()
	wait(ctx, fullAtLast)
	err = errors.Join(err, d.Empty())
	w.Journal.Say("fault", "fill the spool's disk: over")
	return err
}

// FillDisk fills the disk, and empties it after the hold.
func FillDisk(d *Disk, weight int, maxHold time.Duration) Fault {
	return Fault{
		Name: "fill the spool's disk", Claims: []string{"disk"}, Weight: weight, MaxHold: maxHold,
		Begin: func(context.Context, *World, uint64) error { return d.Fill() },
		End:   func(context.Context, *World) error { return d.Empty() },
	}
}

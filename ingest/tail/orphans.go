package tail

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"
)

// A removed log is read as long as it is open, because a server's old worker processes write to it
// after a graceful restart. If the kernel reports that no process has it open for writing, it is
// closed at once. If the kernel cannot report that, it stays open until it was quiet for
// orphanQuiet, but at most maxOrphans logs do.

// writers is the kernel's answer whether a file is open for writing.
type writers uint8

const (
	writersUnknown writers = iota
	writersNone
	writersSome
)

// writersOf requests a read lease, which is granted only if no process has the file open for
// writing. The lease is released at once; a removed file cannot be opened in between.
func writersOf(fd int) writers {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return writersSome
	case err != nil: // another owner, or a file system without leases
		return writersUnknown
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	if err != nil {
		return writersUnknown
	}
	return writersNone
}

// closeOrphan closes a log without a name when it is finished.
func (hk *housekeeper) closeOrphan(ctx context.Context, f *file) {
	quiet := hk.now.Sub(f.active)
	if quiet >= orphanQuiet {
		hk.retire(ctx, f)
		return
	}
	if quiet < orphanGrace || f.behind() {
		return
	}
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil || st.Nlink > 0 {
		return // it has a name elsewhere
	}
	known := writersUnknown
	if hk.local(f) {
		known = hk.cfg.writers(f.fd)
	}
	// After the answer, so that retire sees everything that was written before it.
	if known == writersNone || known == writersUnknown && hk.set.orphans > maxOrphans {
		if hk.retire(ctx, f) {
			hk.set.orphans--
		}
	}
}

// retire closes a file without a name that is finished. It returns false if it must be tried again.
func (hk *housekeeper) retire(ctx context.Context, f *file) bool {
	var st unix.Stat_t
	switch err := unix.Fstat(f.fd, &st); {
	case err == nil && st.Nlink > 0:
		return hk.cooler.cool(f) // it was moved to where no source looks
	case err == nil && st.Size > f.size: // the next sweep reads it
		f.size, f.part = st.Size, false
		return false
	}
	if f.size > f.read && (!f.part || !hk.sweeper.finishLine(ctx, f)) {
		return false
	}
	hk.set.end(f)
	return true
}

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
func (t *Tailer) closeOrphan(ctx context.Context, f *file) {
	quiet := t.now.Sub(f.active)
	if quiet >= orphanQuiet {
		t.retire(ctx, f)
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
	if t.local(f) {
		known = t.cfg.writers(f.fd)
	}
	// After the answer, so that retire sees everything that was written before it.
	if known == writersNone || known == writersUnknown && t.set.orphans > maxOrphans {
		if t.retire(ctx, f) {
			t.set.orphans--
		}
	}
}

// countOrphans counts the open logs without a name.
func (set *fileSet) countOrphans() {
	set.orphans = 0
	for _, f := range set.hot {
		if len(f.places) == 0 {
			set.orphans++
		}
	}
}

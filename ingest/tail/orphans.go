package tail

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"
)

// A removed log is read as long as it is open: a server's old children write to it
// after a graceful restart. Where the kernel says that no process has it open for
// writing, nothing can come any more, and it is closed at once. Where it does not say
// so, it stays open until it was quiet for orphanQuiet, but no more than maxOrphans do.

// writers is what the kernel says of who has a file open for writing.
type writers uint8

const (
	writersUnknown writers = iota
	writersNone
	writersSome
)

// writersOf asks by a read lease, which is granted only while nobody has the file open
// for writing. The lease is given up at once; nobody can open a removed file in between.
func writersOf(fd int) writers {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return writersSome
	case err != nil: // of another owner, or of a file system without leases
		return writersUnknown
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	if err != nil {
		return writersUnknown
	}
	return writersNone
}

// seeToOrphan closes a log without a name when it is finished.
func (t *Tailer) seeToOrphan(ctx context.Context, f *file) {
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
	// Only now: what came before the answer is seen by retire.
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

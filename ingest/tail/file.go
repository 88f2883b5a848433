package tail

import (
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/retry"
)

// place is a name of a file.
type place struct {
	dir  *directory
	name string
}

func (p place) path() string { return filepath.Join(p.dir.path, p.name) }

// file is a log that is followed.
type file struct {
	id     logfile.ID
	state  state // changed by fileSet.to only
	source *matcher
	places []place // its names; empty: it was removed, or moved to where no source looks
	last   string  // the last known path

	stream    *checkpoint.Stream // nil until its first line is complete
	copied    bool               // the stream began in another file, which this one continues
	fd        int                // -1 unless state.isOpen()
	wd        int32              // the one-shot watch; -1 unless cold
	read      int64              // position; everything before was delivered
	size      int64              // as of the last look
	growth    growth
	hole      int64              // number of NUL bytes before its first line
	holeBytes int64              // number of NUL bytes before lines that were read
	mark      uint64             // hash of the markBytes before read
	part      bool               // the unread part is an incomplete line
	live      bool               // it never had another name than the one it is written under
	unseen    bool               // it was opened and not looked at since: size may be out of date
	remote    bool               // a watch may not report every write, so it is also polled
	away      bool               // it was moved to where no source looks
	bornNs    int64              // when it was created, in ns since 1970; 0: not known
	heldSince time.Time          // since when it is held back
	copyOf    *checkpoint.Stream // it is a copy of this existing log, and not read

	refused refusal

	active   time.Time     // time of the last growth
	modified unix.Timespec // when it was closed
	failure
	backlog
}

// failure is the error because of which a file is not read at present.
type failure struct {
	err      error
	since    time.Time
	next     time.Time
	attempts int
	backoff  retry.Backoff
}

const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
	// attemptsToTell is how many attempts must fail before it is logged.
	attemptsToTell = 2
)

// fail records an error; it reports whether it is the first since the last success.
func (f *failure) fail(err error, now time.Time) (first bool) {
	if first = f.err == nil; first {
		f.since = now
	}
	f.err = err
	if first {
		f.backoff = retry.Backoff{First: firstRetry, Max: lastRetry}
	}
	f.next = now.Add(f.backoff.Next())
	f.attempts++
	return first
}

func (f *file) path() string {
	if len(f.places) > 0 {
		return f.places[0].path()
	}
	return f.last
}

// unread returns how many bytes are known to be unread.
func (f *file) unread() int64 {
	if f.refused.content != "" {
		return 0
	}
	return max(0, f.size-f.read)
}

package tail

import (
	"errors"

	"golang.org/x/sys/unix"

	"sluice/ingest/logfile"
)

// refusal is why a file is not read: its content is not lines. It is checked again when it was
// written.
type refusal struct {
	content string // empty: the file is not refused
	hint    string // empty: it is compressed, which needs no action
	// Size and time of the file at that check; size is -1 to force another check.
	size     int64
	modified int64
}

// Refused is a file that matches a source and is not a log.
type Refused struct {
	Path    string `json:"path"`
	Content string `json:"content"` // "a zip archive"
	Hint    string `json:"hint"`
}

func (r Refused) String() string {
	return r.Path + " is not read: the file is not a log but " + r.Content + ": " + r.Hint
}

// refuse reports whether a new file, which begins with start, must not be read. A compressed file
// does not grow; what it has that was not read before is searched when the log that it was made
// from is gone.
func (id *identifier) refuse(f *file, start []byte) bool {
	was := f.refused
	f.refused = refusal{}
	size, modified := f.size, int64(0)
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err == nil {
		size, modified = st.Size, st.Mtim.Nano()
	}
	compression, err := logfile.Recognize(start)
	var not *logfile.NotLogError
	switch {
	case errors.As(err, &not):
		f.refused = refusal{not.Content, not.Hint, size, modified}
		if was.content != not.Content {
			id.cfg.Log.Warn("file is not a log, not read", "path", f.path(), "content", not.Content, "hint", not.Hint)
		}
	case compression != logfile.NotCompressed:
		f.refused = refusal{compression.String() + " data", "", size, modified}
		if was.content == "" {
			id.cfg.Log.Info("file is compressed, not followed", "path", f.path(), "compression", compression.String())
		}
	case was.content != "":
		id.cfg.Log.Info("file is a log now, reading it", "path", f.path(), "old", was.content)
	}
	f.part = f.refused.content != ""
	return f.part
}

// stillRefused reports whether a refused file is unchanged since its last check.
func (f *file) stillRefused() bool {
	if f.refused.content == "" {
		return false
	}
	var st unix.Stat_t
	err := unix.Fstat(f.fd, &st)
	return err == nil && st.Size == f.refused.size && st.Mtim.Nano() == f.refused.modified
}

package tail

import (
	"errors"

	"golang.org/x/sys/unix"

	"sluice/ingest/logfile"
)

// refusal is why nothing of a file is read: it holds something else than lines. It is
// looked at again when it is written.
type refusal struct {
	content string // empty: the file is not refused
	hint    string // empty: it is compressed, which is no reason to look at it
	// When that was found; size is -1 to look again.
	size     int64
	modified int64
}

// Refused is a file under a source's pattern that holds no log.
type Refused struct {
	Path    string `json:"path"`
	Content string `json:"content"` // "a zip archive"
	Hint    string `json:"hint"`
}

func (r Refused) String() string {
	return r.Path + " is not read: the file is not a log but " + r.Content + ": " + r.Hint
}

// refuse reports whether a file that is new and begins with start is not to be read.
// A compressed file does not grow: what it holds that was not read before is looked for
// when the log that it was made of is gone.
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

// stillRefused reports whether a refused file is as it was when it was looked at last.
func (f *file) stillRefused() bool {
	if f.refused.content == "" {
		return false
	}
	var st unix.Stat_t
	err := unix.Fstat(f.fd, &st)
	return err == nil && st.Size == f.refused.size && st.Mtim.Nano() == f.refused.modified
}

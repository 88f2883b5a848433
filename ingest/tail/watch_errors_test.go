package tail

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The mode of an open log becomes 000. It is read on, and watched again when its permissions are
// restored.
func TestALogWithoutReadPermissionIsAPermissionError(t *testing.T) {
	w := newWorld(t)
	asNobody(t, w.dir)
	w.append("access.log", lines("a", 1))
	w.append("other.log", lines("b", 1))
	w.start()
	for _, name := range []string{"access.log", "other.log"} {
		w.must(os.Chmod(w.path(name), 0))
	}
	w.turns(quietSweeps + 15)
	if said := w.log.String(); strings.Count(said, "idle log cannot be watched") != 1 || !strings.Contains(said, "permission denied") || strings.Contains(said, "max_user_watches") {
		t.Errorf("logged\n%s", said)
	}
	if s := w.tailer.Status(); s.Hot != 2 || len(s.Failing) > 0 {
		t.Errorf("%d logs are open, failing: %+v", s.Hot, s.Failing)
	}
	for _, name := range []string{"access.log", "other.log"} {
		w.must(os.Chmod(w.path(name), 0o600))
	}
	w.append("access.log", lines("a2", 1))
	w.turns(2*quietSweeps + 15)
	w.wantSet(lines("a", 1)+lines("a2", 1), lines("b", 1))
	if s := w.tailer.Status(); s.Hot != 0 {
		t.Errorf("%d logs are open", s.Hot)
	}
	w.tailer.stop()
}

// A permission error is reported for a directory that cannot be searched, for one below such a
// parent, and for one that cannot be read.
func TestADirectoryWithoutPermissionIsAPermissionError(t *testing.T) {
	for name, c := range map[string]struct {
		dir  string
		mode os.FileMode
	}{"not searchable": {"site/logs", 0o600}, "parent not searchable": {"site", 0o600}, "not readable": {"site/logs", 0o300}, "nothing": {"site/logs", 0}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "site/logs/access.log")
			asNobody(t, w.dir)
			w.must(os.MkdirAll(w.path("site/logs"), 0o700))
			w.append("site/logs/access.log", lines("a", 1))
			w.must(os.Chmod(w.path(c.dir), c.mode))
			w.start()
			w.turns(15)
			s := w.tailer.Status()
			if len(s.Failing) != 1 || !strings.Contains(s.Failing[0].Error, "permission denied") {
				t.Errorf("failing: %+v", s.Failing)
			}
			if said := w.log.String(); !strings.Contains(said, "permission denied") || strings.Contains(said, "inotify") {
				t.Errorf("logged\n%s", said)
			}
			w.must(os.Chmod(w.path(c.dir), 0o700))
			w.turns(40)
			w.wantSet(lines("a", 1))
			if s := w.tailer.Status(); len(s.Failing) > 0 {
				t.Errorf("failing: %+v", s.Failing)
			}
			w.tailer.stop()
		})
	}
}

// The hint names the limit that was reached, and no other.
func TestEachLimitIsNamed(t *testing.T) {
	for _, c := range []struct{ hint, want string }{
		{watchHint(&os.PathError{Op: "watch", Path: "x", Err: unix.ENOSPC}), "fs.inotify.max_user_watches"},
		{watchHint(unix.EACCES), "permission to read"},
		{watchHint(unix.ENOENT), "mount /proc"},
		{watchHint(unix.ENOMEM), "no memory"},
		{instanceHint(unix.EMFILE, true), "fs.inotify.max_user_instances"},
		{instanceHint(unix.EMFILE, false), "LimitNOFILE="},
		{instanceHint(unix.ENFILE, true), "fs.file-max"},
		{instanceHint(unix.ENOMEM, true), "no memory"},
	} {
		if !strings.Contains(c.hint, c.want) {
			t.Errorf("%q, want %s", c.hint, c.want)
		}
	}
}

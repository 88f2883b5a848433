package tail

import (
	"time"

	"golang.org/x/sys/unix"
)

// quiet returns how long a file must not have grown before it goes cold.
func (set *fileSet) quiet() time.Duration {
	return max(quietSweeps*set.cfg.interval(len(set.hot)), 10*time.Second)
}

// settle lets a file go cold at once if it did not grow for long before it was opened: at the start
// there may be thousands of such files.
func (set *fileSet) settle(f *file) {
	if f.state == stateOpen && set.now.Sub(f.active) > set.quiet() {
		set.cool(f)
	}
}

// cool closes a file, and watches it for its next write. It returns false if the file was written
// meanwhile or no watch is available.
func (set *fileSet) cool(f *file) bool {
	if f.size > f.read && !f.part {
		return false
	}
	wd, err := set.watch.watchCold(f.fd)
	if err != nil && set.watch.cold < 0 {
		return set.coolUnwatched(f)
	}
	if err != nil {
		set.cannotWatch(f, err)
		return false
	}
	// A write before the watch was added is found by this fstat, and a later one is reported by the
	// watch.
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil || st.Size != f.size || st.Nlink == 0 {
		set.watch.unwatchCold(wd)
		return false
	}
	f.wd, f.modified, f.remote = wd, st.Mtim, !set.local(f)
	set.to(f, stateCold)
	return true
}

// coolUnwatched closes a file and polls it, because the kernel provides no watches.
func (set *fileSet) coolUnwatched(f *file) bool {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil || st.Size != f.size || st.Nlink == 0 {
		return false
	}
	set.poll(f, &st)
	return true
}

// poll closes a log, whose size and time are compared by stat at intervals from now on.
func (set *fileSet) poll(f *file, st *unix.Stat_t) {
	f.modified = st.Mtim
	if f.state == stateHeld {
		set.to(f, stateShelved)
	} else {
		set.to(f, statePolled)
	}
}

// pollInterval returns the time between two polls of every polled log.
func (set *fileSet) pollInterval() time.Duration {
	return min(max(time.Duration(len(set.polled))*pollCost, minPoll), maxPoll)
}

// cannotWatch logs, once for each reason, that an idle log cannot be watched.
func (set *fileSet) cannotWatch(f *file, err error) {
	hint := watchHint(err)
	if set.unwatchable[hint] {
		return
	}
	set.unwatchable[hint] = true
	set.cfg.Log.Warn("idle log cannot be watched, it stays open and is polled", "path", f.path(), "err", err, "hint", hint)
}

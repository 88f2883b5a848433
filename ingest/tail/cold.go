package tail

import (
	"time"

	"golang.org/x/sys/unix"
)

// cooler closes files that have not grown for a while, and lets the kernel report their next write,
// or has them polled.
type cooler struct {
	*env
	set         *fileSet
	unwatchable map[string]bool // reasons why idle logs are not watched that were logged already
}

// quiet returns how long a file must not have grown before it goes cold.
func (co *cooler) quiet() time.Duration {
	return max(quietSweeps*co.cfg.interval(len(co.set.hot)), 10*time.Second)
}

// settle lets a file go cold at once if it did not grow for long before it was opened: at the start
// there may be thousands of such files.
func (co *cooler) settle(f *file) {
	if f.state == stateOpen && co.now.Sub(f.active) > co.quiet() {
		co.cool(f)
	}
}

// cool closes a file, and watches it for its next write. It returns false if the file was written
// meanwhile or no watch is available.
func (co *cooler) cool(f *file) bool {
	if f.size > f.read && !f.part {
		return false
	}
	wd, err := co.watch.watchCold(f.fd)
	if err != nil && co.watch.cold < 0 {
		return co.coolUnwatched(f)
	}
	if err != nil {
		co.cannotWatch(f, err)
		return false
	}
	// A write before the watch was added is found by this fstat, and a later one is reported by the
	// watch.
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil || st.Size != f.size || st.Nlink == 0 {
		co.watch.unwatchCold(wd)
		return false
	}
	f.wd, f.modified, f.remote = wd, st.Mtim, !co.local(f)
	co.set.to(f, stateCold)
	return true
}

// coolUnwatched closes a file and polls it, because the kernel provides no watches.
func (co *cooler) coolUnwatched(f *file) bool {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil || st.Size != f.size || st.Nlink == 0 {
		return false
	}
	co.poll(f, &st)
	return true
}

// poll closes a log, whose size and time are compared by stat at intervals from now on.
func (co *cooler) poll(f *file, st *unix.Stat_t) {
	f.modified = st.Mtim
	if f.state == stateHeld {
		co.set.to(f, stateShelved)
	} else {
		co.set.to(f, statePolled)
	}
}

// pollInterval returns the time between two polls of every polled log.
func (co *cooler) pollInterval() time.Duration {
	return min(max(time.Duration(len(co.set.polled))*pollCost, minPoll), maxPoll)
}

// cannotWatch logs, once for each reason, that an idle log cannot be watched.
func (co *cooler) cannotWatch(f *file, err error) {
	hint := watchHint(err)
	if co.unwatchable[hint] {
		return
	}
	co.unwatchable[hint] = true
	co.cfg.Log.Warn("idle log cannot be watched, it stays open and is polled", "path", f.path(), "err", err, "hint", hint)
}

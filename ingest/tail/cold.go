package tail

import (
	"time"

	"golang.org/x/sys/unix"
)

// quiet is how long a file must not have grown to be cold.
func (set *fileSet) quiet() time.Duration {
	return max(quietSweeps*set.cfg.interval(len(set.hot)), 10*time.Second)
}

// settle lets a file that was quiet before it was opened go cold at once: at the
// start there may be thousands.
func (set *fileSet) settle(f *file) {
	if f.state == stateOpen && set.now.Sub(f.active) > set.quiet() {
		set.cool(f)
	}
}

// cool closes a file and has the kernel tell of its next write. It reports false
// when the file was written meanwhile, or there are no more watches.
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
	// Whatever was written before the watch is seen here, whatever comes after it
	// is told.
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil || st.Size != f.size || st.Nlink == 0 {
		set.watch.unwatchCold(wd)
		return false
	}
	f.wd, f.modified, f.remote = wd, st.Mtim, !set.local(f)
	set.to(f, stateCold)
	return true
}

// coolUnwatched closes a file where the kernel gives no watches: it is polled.
func (set *fileSet) coolUnwatched(f *file) bool {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil || st.Size != f.size || st.Nlink == 0 {
		return false
	}
	set.poll(f, &st)
	return true
}

// poll closes a log and has it compared by stat from now on.
func (set *fileSet) poll(f *file, st *unix.Stat_t) {
	f.modified = st.Mtim
	if f.state == stateHeld {
		set.to(f, stateShelved)
	} else {
		set.to(f, statePolled)
	}
}

// pollInterval is the time between two polls of every polled log.
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

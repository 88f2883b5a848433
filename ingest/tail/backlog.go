package tail

import (
	"fmt"
	"path/filepath"
	"time"
)

// backlog estimates when a file's unread part will be deleted by rotation.
type backlog struct {
	rotatedAt   time.Time     // when it was last truncated in place
	period      time.Duration // time between two rotations; 0: not known
	deadline    time.Time     // when the unread part will be deleted; zero: not known
	margin      time.Duration
	warned      bool
	estimatedAt time.Time
	sizeBefore  int64 // at the previous estimate
}

// pace is the speed of reading, averaged over recent measurements.
type pace struct {
	at             time.Time
	bytes          int64
	lines          int64
	bytesPerSecond float64
	linesPerSecond float64
	measured       bool
}

// margins measures the pace, and warns of unread lines that are about to be deleted.
type margins struct {
	*env
	contents *contents
	set      *fileSet
	pace     pace
	// list is listGenerations, but in tests.
	list func(dir string) *generations
}

// measure updates the pace from the total of bytes and lines read so far. The first call only
// stores the totals, and the second one has no earlier pace to average with.
func (p *pace) measure(now time.Time, bytes, lines int64) {
	if seconds := now.Sub(p.at).Seconds(); seconds > 0 && !p.at.IsZero() {
		rate, lineRate := float64(bytes-p.bytes)/seconds, float64(lines-p.lines)/seconds
		if p.measured {
			rate, lineRate = (rate+p.bytesPerSecond)/2, (lineRate+p.linesPerSecond)/2
		}
		p.bytesPerSecond, p.linesPerSecond, p.measured = rate, lineRate, true
	}
	p.at, p.bytes, p.lines = now, bytes, lines
}

// update measures the pace, records the sizes of logs in the checkpoint, and warns of unread lines
// that are about to be deleted.
func (m *margins) update() {
	m.pace.measure(m.now, m.counters.Bytes.Load(), m.counters.Lines.Load())
	var urgent *file
	var unread int64
	for _, f := range m.set.hot {
		// After a truncation the new size does not belong to the unread part that was cut off.
		if size, err := fileSize(f.fd); err == nil && size > f.size && m.contents.sameMark(f) {
			f.size = size
			f.growth.note(size, m.now.Sub(m.began))
		}
		unread += f.unread()
	}
	listed := map[string]*generations{} // each directory once: it may have thousands of logs
	for _, f := range m.set.hot {
		// Lines that came since the previous estimate are not a backlog, because the next sweep
		// reads them. Neither is an incomplete line, or a copy that is held back.
		behind := f.read < f.sizeBefore && f.unread() > 0 && !f.part && f.stream != nil
		if f.sizeBefore = f.size; f.stream == nil {
			f.sizeBefore = 0
		}
		if m.cfg.MinMargin == 0 || !behind {
			f.deadline, f.estimatedAt, f.warned = time.Time{}, time.Time{}, false
			continue
		}
		m.estimate(f, unread, listed)
		if !f.deadline.IsZero() && f.margin < m.cfg.MinMargin && (urgent == nil || f.margin < urgent.margin) {
			urgent = f
		}
	}
	m.urge(urgent)
	m.set.noteSizes()
}

// urge reports to the gate the log that is nearest to losing lines, and logs a warning once. With
// nil it reports that there is none.
func (m *margins) urge(f *file) {
	if f == nil {
		if m.gate != nil {
			m.gate.SetUrgent(false, "")
		}
		return
	}
	reason := fmt.Sprintf("%s: %d bytes are unread and its rotation will delete them in about %s; %s",
		f.path(), f.unread(), f.deadline.Sub(m.now).Round(time.Second), f.marginText())
	if !f.warned {
		f.warned = true
		m.cfg.Log.Error("unread lines are about to be deleted with the log", "path", f.path(), "hint", "give the agent more CPU (--cpu, --catch-up), or keep rotated logs longer",
			"unread_bytes", f.unread(), "deleted_in", f.deadline.Sub(m.now).Round(time.Second), "margin", f.marginText())
	}
	if m.gate != nil {
		m.gate.SetUrgent(true, reason)
	}
}

// forEver is the estimated reading time when nothing is being read.
const forEver = 1e9 * time.Second

// marginText describes the margin for people.
func (b *backlog) marginText() string {
	switch {
	case b.margin < -forEver/2:
		return "and hardly anything is being read"
	case b.margin < 0:
		return fmt.Sprintf("at the present rate, reading takes %s longer than that", (-b.margin).Round(time.Second))
	}
	return fmt.Sprintf("at the present rate, reading ends %s before that", b.margin.Round(time.Second))
}

// estimate estimates when the unread part is deleted and how long reading it takes. The pace is
// shared by the unread parts of all logs. listed has the directories that were listed by this update.
func (m *margins) estimate(f *file, unread int64, listed map[string]*generations) {
	if m.now.Sub(f.estimatedAt) > time.Minute {
		f.estimatedAt = m.now
		dir := filepath.Dir(f.path())
		if listed[dir] == nil {
			listed[dir] = m.list(dir)
		}
		f.deadline = deadlineOf(f, listed[dir].of(f.path()))
	}
	if f.deadline.IsZero() {
		return
	}
	seconds := forEver.Seconds()
	if m.pace.bytesPerSecond > 0 {
		seconds = min(float64(unread)/m.pace.bytesPerSecond, seconds)
	}
	f.margin = f.deadline.Sub(m.now) - time.Duration(seconds*float64(time.Second))
}

// deadlineOf estimates when the unread part is deleted from the times of the log's earlier
// generations in its directory: the time between them is the period of rotation, and their number is how many
// rotations a log is kept for. A log that is truncated in place loses its unread part at the next
// rotation. It returns zero if there are fewer than two generations.
func deadlineOf(f *file, times []time.Time) time.Time {
	if len(times) < 2 {
		return time.Time{}
	}
	newest := times[len(times)-1]
	period := newest.Sub(times[0]) / time.Duration(len(times)-1)
	if period <= 0 {
		return time.Time{}
	}
	f.period = period
	if !f.rotatedAt.IsZero() { // copytruncate
		return f.rotatedAt.Add(period)
	}
	if f.live {
		return newest.Add(period * time.Duration(len(times)+1))
	}
	// It is deleted when as many newer generations exist as are older than it now.
	older := 0
	for _, at := range times {
		if at.Before(f.active) {
			older++
		}
	}
	return newest.Add(period * time.Duration(max(1, older)))
}

// rotated records that the file was truncated in place.
func (b *backlog) rotated(now time.Time) {
	b.rotatedAt, b.estimatedAt, b.sizeBefore, b.warned = now, time.Time{}, 0, false
}

// marginSeconds returns the margin for the status, or nil if it is not known.
func (b *backlog) marginSeconds() *float64 {
	if b.deadline.IsZero() {
		return nil
	}
	s := b.margin.Seconds()
	return &s
}

package tail

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sluice/ingest/checkpoint"
)

// backlog is what is known of when a file's unread part will be deleted.
type backlog struct {
	rotatedAt  time.Time     // the last time it was truncated under its name
	period     time.Duration // between two rotations; 0 where it is not known
	deadline   time.Time     // when the unread part will be deleted
	margin     time.Duration
	warned     bool
	reckonedAt time.Time
	sizeBefore int64 // at the reckoning before
}

// pace is how fast logs are read.
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
}

// measure takes in how much was read by now. The first time there is nothing to
// compare with, the second nothing to smooth.
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

// reckon measures the pace, writes down sizes, and warns of unread lines that are
// about to be deleted.
func (m *margins) reckon() {
	m.pace.measure(m.now, m.counters.Bytes.Load(), m.counters.Lines.Load())
	var urgent *file
	var unread int64
	for _, f := range m.set.hot {
		// What a truncated log has grown to since is no unread part of what was cut off.
		if size, err := fileSize(f.fd); err == nil && size > f.size && m.contents.sameMark(f) {
			f.size = size
			f.growth.note(size, m.now.Sub(m.began))
		}
		unread += f.unread()
	}
	for _, f := range m.set.hot {
		// What came since the reckoning before is no backlog: it is read with the
		// next sweep. Nor is a line that is not finished, or a copy that is held back.
		behind := f.read < f.sizeBefore && f.unread() > 0 && !f.part && f.stream != nil
		if f.sizeBefore = f.size; f.stream == nil {
			f.sizeBefore = 0
		}
		if m.cfg.MinMargin == 0 || !behind {
			f.deadline, f.reckonedAt, f.warned = time.Time{}, time.Time{}, false
			continue
		}
		m.reckonFile(f, unread)
		if !f.deadline.IsZero() && f.margin < m.cfg.MinMargin && (urgent == nil || f.margin < urgent.margin) {
			urgent = f
		}
	}
	m.urge(urgent)
	m.set.noteSizes()
}

// urge tells the gate, and the log once, of the log that is nearest to losing
// lines.
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

// forEver is how long reading takes when nothing is being read.
const forEver = 1e9 * time.Second

// marginText is for people.
func (b *backlog) marginText() string {
	switch {
	case b.margin < -forEver/2:
		return "and hardly anything is being read"
	case b.margin < 0:
		return fmt.Sprintf("at the present pace reading takes %s longer than that", (-b.margin).Round(time.Second))
	}
	return fmt.Sprintf("at the present pace reading ends %s before that", b.margin.Round(time.Second))
}

// reckonFile estimates when the unread part is deleted and how long reading it
// takes: all logs' unread parts share the pace.
func (m *margins) reckonFile(f *file, unread int64) {
	if m.now.Sub(f.reckonedAt) > time.Minute {
		f.reckonedAt = m.now
		f.deadline = m.deadlineOf(f)
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

// deadlineOf looks at how the log's earlier generations stand in its folder:
// their distance in time is the period of rotation, their number is how many
// rotations a log lives. A log that is truncated in place is lost at the next one.
// Zero: there are too few to tell.
func (m *margins) deadlineOf(f *file) time.Time {
	times := generations(f.path())
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
	// It is deleted when as many newer ones stand before it as there are now.
	older := 0
	for _, at := range times {
		if at.Before(f.active) {
			older++
		}
	}
	return newest.Add(period * time.Duration(max(1, older)))
}

// generations returns the times at which the log's earlier generations were last
// written, the oldest first.
func generations(path string) []time.Time {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var times []time.Time
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if name == path || checkpoint.RotatedName(name) != checkpoint.RotatedName(path) && checkpoint.KinshipOf(name, path) != checkpoint.RotatedHere {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			times = append(times, info.ModTime())
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// rotated notes that the file was truncated under its name.
func (b *backlog) rotated(now time.Time) {
	b.rotatedAt, b.reckonedAt, b.sizeBefore, b.warned = now, time.Time{}, 0, false
}

// marginSeconds is for the status.
func (b *backlog) marginSeconds() *float64 {
	if b.deadline.IsZero() {
		return nil
	}
	s := b.margin.Seconds()
	return &s
}

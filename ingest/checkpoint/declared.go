package checkpoint

import (
	"slices"
	"sync"
	"time"

	"sluice/schema"
)

// Declared has the streams of other hosts, which their senders declare. Their number and size are
// limited by a Quota.
type Declared struct {
	mu      *sync.Mutex // File.mu
	streams *streamSet
}

// SetQuota sets the limits of Declare. It must be called before the first Declare.
func (d *Declared) SetQuota(q Quota) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.streams.quotas.limit = q
}

// Usage returns the number of declared streams of a host.
func (d *Declared) Usage(host string) (streams int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if u := d.streams.quotas.usage[host]; u != nil {
		streams = u.streams
	}
	return streams
}

// Known returns the stream that a host names by an id, or nil.
func (d *Declared) Known(host string, named schema.StreamID) *Stream {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known(host, named)
}

func (d *Declared) known(host string, named schema.StreamID) *Stream {
	for _, id := range []schema.StreamID{named, schema.ForeignStreamID(host, named)} {
		if t := d.streams.byID[id]; t != nil && t.Host == host {
			return t
		}
	}
	return nil
}

// Declare returns the stream that entry's host names by entry's id, and adds it if it is not known.
// Its log is on another host, so it has no file here. The stream has that id if own is true, which
// means that the id was proved to be the host's, and otherwise the host's ForeignStreamID. Format,
// zone and labels are set to entry's. It returns an ErrQuota if there are too many streams.
func (d *Declared) Declare(entry schema.StreamEntry, own bool, now time.Time) (*Stream, error) {
	if err := checkLabels(entry.Labels); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.known(entry.Host, entry.ID)
	if t == nil {
		if err := d.streams.quotas.room(entry.Host, 1, costOf(&entry)); err != nil {
			return nil, err
		}
		if !own || d.streams.byID[entry.ID] != nil {
			entry.ID = schema.ForeignStreamID(entry.Host, entry.ID)
		}
		entry.Stored = 0
		t = &Stream{StreamEntry: entry, touched: now}
		d.streams.add(t)
		return t, nil
	}
	known := t.StreamEntry
	known.Format, known.Zone, known.Labels = entry.Format, entry.Zone, entry.Labels
	cost := costOf(&known)
	if err := d.streams.quotas.room(t.Host, 0, cost-t.cost); err != nil {
		return nil, err
	}
	if len(t.Files) == 0 {
		d.streams.quotas.recharge(t, cost)
	}
	t.Format, t.Zone, t.Labels = entry.Format, entry.Zone, entry.Labels
	t.GoneUnix, t.touched = 0, now
	return t, nil
}

// Restore adds a stream with the entry of a segment that was found.
func (d *Declared) Restore(entry schema.StreamEntry) *Stream {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := &Stream{StreamEntry: entry}
	d.streams.add(t)
	return t
}

// Touch records that a stream's sender sent lines of it. It returns false if the stream was
// forgotten.
func (d *Declared) Touch(t *Stream, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.touched = now
	return d.streams.byID[t.ID] == t
}

// Idle returns the streams of a host ("": of all) that were declared and not touched since before,
// the longest idle first.
func (d *Declared) Idle(host string, before time.Time) []*Stream {
	d.mu.Lock()
	defer d.mu.Unlock()
	var idle []*Stream
	for _, t := range d.streams.all {
		if (host == "" || t.Host == host) && len(t.Files) == 0 && t.touched.Before(before) {
			idle = append(idle, t)
		}
	}
	slices.SortStableFunc(idle, func(a, b *Stream) int { return a.touched.Compare(b.touched) })
	return idle
}

package checkpoint

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"sluice/schema"
)

// Quota limits what senders can add to a checkpoint. A zero means the default.
type Quota struct {
	// HostStreams limits the streams of one host, and Streams those of all hosts. Defaults: 20,000
	// and 200,000.
	HostStreams, Streams int
	// HostBytes limits the text of one host's streams (path, format, zone and labels, as they are
	// written in JSON), and Bytes that of all hosts. Defaults: 16 MiB and 256 MiB.
	HostBytes, Bytes int64
}

// WithDefaults returns the quota with the defaults for its zeros.
func (q Quota) WithDefaults() Quota {
	if q.HostStreams <= 0 {
		q.HostStreams = 20_000
	}
	if q.Streams <= 0 {
		q.Streams = 10 * q.HostStreams
	}
	if q.HostBytes <= 0 {
		q.HostBytes = 16 << 20
	}
	if q.Bytes <= 0 {
		q.Bytes = 16 * q.HostBytes
	}
	return q
}

// MaxLabelBytes limits the names and values of one stream's labels together.
const MaxLabelBytes = 4 << 10

// ErrQuota is returned if a host, or all hosts together, have reached the limit of streams.
var ErrQuota = errors.New("limit of streams reached")

// usage is the number and the size of declared streams.
type usage struct {
	streams int
	bytes   int64
}

// SetQuota sets the limits of Declare. It must be called before the first Declare.
func (c *File) SetQuota(q Quota) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quota = q
}

// Usage returns the number of declared streams of a host.
func (c *File) Usage(host string) (streams int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u := c.usage[host]; u != nil {
		streams = u.streams
	}
	return streams
}

// charge counts a new stream. c.mu must be held.
func (c *File) charge(t *Stream) {
	if len(t.Files) > 0 {
		return // a log of this machine
	}
	t.cost = costOf(&t.StreamEntry)
	u := c.usage[t.Host]
	if u == nil {
		u = new(usage)
		c.usage[t.Host] = u
	}
	u.add(1, t.cost)
	c.total.add(1, t.cost)
}

func (u *usage) add(streams int, bytes int64) {
	u.streams += streams
	u.bytes += bytes
}

// costOf returns how many bytes a stream's text takes in the file.
func costOf(e *schema.StreamEntry) int64 {
	n := escapedBytes(e.Path) + escapedBytes(e.Format) + escapedBytes(e.Zone)
	for name, value := range e.Labels {
		n += escapedBytes(name) + escapedBytes(value) + int64(len(`"":"",`))
	}
	return n
}

// escapedBytes returns the greatest length of a text in JSON: control characters, characters with a
// meaning in HTML, and invalid UTF-8 take six bytes.
func escapedBytes(s string) (n int64) {
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			n += 2
		case r < ' ' || r == '<' || r == '>' || r == '&' || r == utf8.RuneError || r == '\u2028' || r == '\u2029':
			n += 6
		default:
			n += int64(utf8.RuneLen(r))
		}
	}
	return n
}

// room returns an ErrQuota if a host may not have so much more. c.mu must be held.
func (c *File) room(host string, streams int, bytes int64) error {
	q := c.quota.WithDefaults()
	var u usage
	if known := c.usage[host]; known != nil {
		u = *known
	}
	u.add(streams, bytes)
	total := c.total
	total.add(streams, bytes)
	switch {
	case streams > 0 && u.streams > q.HostStreams:
		return fmt.Errorf("%w: host %s has %d streams, the limit of one host", ErrQuota, host, q.HostStreams)
	case bytes > 0 && u.bytes > q.HostBytes:
		return fmt.Errorf("%w: paths, formats and labels of host %s take %d bytes, the limit is %d", ErrQuota, host, u.bytes, q.HostBytes)
	case streams > 0 && total.streams > q.Streams:
		return fmt.Errorf("%w: all hosts together have %d streams, the limit", ErrQuota, q.Streams)
	case bytes > 0 && total.bytes > q.Bytes:
		return fmt.Errorf("%w: paths, formats and labels of all hosts take %d bytes, the limit is %d", ErrQuota, total.bytes, q.Bytes)
	}
	return nil
}

// checkLabels returns an error if the labels are longer than MaxLabelBytes together.
func checkLabels(labels map[string]string) error {
	n := 0
	for name, value := range labels {
		n += len(name) + len(value)
	}
	if n > MaxLabelBytes {
		return fmt.Errorf("its labels have %d bytes, the limit is %d", n, MaxLabelBytes)
	}
	return nil
}

// Known returns the stream that a host names by an id, or nil.
func (c *File) Known(host string, named schema.StreamID) *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known(host, named)
}

func (c *File) known(host string, named schema.StreamID) *Stream {
	for _, id := range []schema.StreamID{named, schema.ForeignStreamID(host, named)} {
		if t := c.byID[id]; t != nil && t.Host == host {
			return t
		}
	}
	return nil
}

// Declare returns the stream that entry's host names by entry's id, and adds it if it is not known.
// Its log is on another host, so it has no file here. The stream has that id if own is true, which
// means that the id was proved to be the host's, and otherwise the host's ForeignStreamID. Format,
// zone and labels are set to entry's. It returns an ErrQuota if there are too many streams.
func (c *File) Declare(entry schema.StreamEntry, own bool, now time.Time) (*Stream, error) {
	if err := checkLabels(entry.Labels); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.known(entry.Host, entry.ID)
	if t == nil {
		if err := c.room(entry.Host, 1, costOf(&entry)); err != nil {
			return nil, err
		}
		if !own || c.byID[entry.ID] != nil {
			entry.ID = schema.ForeignStreamID(entry.Host, entry.ID)
		}
		entry.Stored = 0
		t = &Stream{StreamEntry: entry, touched: now}
		c.doc.Streams = append(c.doc.Streams, t)
		c.enter(t)
		return t, nil
	}
	known := t.StreamEntry
	known.Format, known.Zone, known.Labels = entry.Format, entry.Zone, entry.Labels
	cost := costOf(&known)
	if err := c.room(t.Host, 0, cost-t.cost); err != nil {
		return nil, err
	}
	if len(t.Files) == 0 {
		c.usage[t.Host].add(0, cost-t.cost)
		c.total.add(0, cost-t.cost)
		t.cost = cost
	}
	t.Format, t.Zone, t.Labels = entry.Format, entry.Zone, entry.Labels
	t.GoneUnix, t.touched = 0, now
	return t, nil
}

// Found reports whether the checkpoint existed when it was opened.
func (c *File) Found() bool { return c.found }

// Restore adds a stream with the entry of a segment that was found.
func (c *File) Restore(entry schema.StreamEntry) *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &Stream{StreamEntry: entry}
	c.doc.Streams = append(c.doc.Streams, t)
	c.enter(t)
	return t
}

// Touch records that a stream's sender sent lines of it. It returns false if the stream was
// forgotten.
func (c *File) Touch(t *Stream, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.touched = now
	return c.byID[t.ID] == t
}

// Idle returns the streams of a host ("": of all) that were declared and not touched since before,
// the longest idle first.
func (c *File) Idle(host string, before time.Time) []*Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	var idle []*Stream
	for _, t := range c.doc.Streams {
		if (host == "" || t.Host == host) && len(t.Files) == 0 && t.touched.Before(before) {
			idle = append(idle, t)
		}
	}
	slices.SortStableFunc(idle, func(a, b *Stream) int { return a.touched.Compare(b.touched) })
	return idle
}

// missingIsSound reports whether Missing is valid: sorted, and before Stored.
func (t *Stream) missingIsSound() bool {
	at := int64(0)
	for _, r := range t.Missing {
		if r.Start < at || r.End <= r.Start || r.End > t.Stored {
			return false
		}
		at = r.End
	}
	return true
}

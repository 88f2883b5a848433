package checkpoint

import (
	"errors"
	"fmt"
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

// quotas counts the streams that were declared, and compares them with the limits. File.mu guards
// it.
type quotas struct {
	limit Quota
	usage map[string]*usage // by host
	total usage
}

// usage is the number and the size of declared streams.
type usage struct {
	streams int
	bytes   int64
}

func (u *usage) add(streams int, bytes int64) {
	u.streams += streams
	u.bytes += bytes
}

// reset sets all counts to zero.
func (q *quotas) reset() { q.usage, q.total = map[string]*usage{}, usage{} }

// charge counts a new stream.
func (q *quotas) charge(t *Stream) {
	if len(t.Files) > 0 {
		return // a log of this machine
	}
	t.cost = costOf(&t.StreamEntry)
	u := q.usage[t.Host]
	if u == nil {
		u = new(usage)
		q.usage[t.Host] = u
	}
	u.add(1, t.cost)
	q.total.add(1, t.cost)
}

// recharge changes what a stream that was declared is counted with.
func (q *quotas) recharge(t *Stream, cost int64) {
	q.usage[t.Host].add(0, cost-t.cost)
	q.total.add(0, cost-t.cost)
	t.cost = cost
}

// room returns an ErrQuota if a host may not have so much more.
func (q *quotas) room(host string, streams int, bytes int64) error {
	limit := q.limit.WithDefaults()
	var u usage
	if known := q.usage[host]; known != nil {
		u = *known
	}
	u.add(streams, bytes)
	total := q.total
	total.add(streams, bytes)
	switch {
	case streams > 0 && u.streams > limit.HostStreams:
		return fmt.Errorf("%w: host %s has %d streams, the limit of one host", ErrQuota, host, limit.HostStreams)
	case bytes > 0 && u.bytes > limit.HostBytes:
		return fmt.Errorf("%w: paths, formats and labels of host %s take %d bytes, the limit is %d", ErrQuota, host, u.bytes, limit.HostBytes)
	case streams > 0 && total.streams > limit.Streams:
		return fmt.Errorf("%w: all hosts together have %d streams, the limit", ErrQuota, limit.Streams)
	case bytes > 0 && total.bytes > limit.Bytes:
		return fmt.Errorf("%w: paths, formats and labels of all hosts take %d bytes, the limit is %d", ErrQuota, total.bytes, limit.Bytes)
	}
	return nil
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

package index

import (
	"iter"
	"time"

	"sluice/archive"
	"sluice/schema"
)

// Lines iterates over the lines of data, without their newlines, with their offsets in the stream;
// data begins at start. The last line may lack its newline. NUL bytes before a line are not part of
// it (schema.CutLine).
func Lines(data []byte, start int64) iter.Seq2[int64, []byte] {
	return func(yield func(offset int64, line []byte) bool) {
		for len(data) > 0 {
			line, at, size, ok := schema.CutLine(data)
			if ok && !yield(start+int64(at), line) {
				return
			}
			data, start = data[size:], start+int64(size)
		}
	}
}

// Place finds the directory of an archive that a line belongs to. It caches the last answer, and is
// not safe for concurrent use.
type Place struct {
	pattern  archive.Pattern
	host     string
	labels   map[string]string
	from, to int64
	zone     int32
	dir      string
}

// NewPlace returns a Place for lines of a host with labels, which must not be changed.
func NewPlace(p archive.Pattern, host string, labels map[string]string) Place {
	return Place{pattern: p, host: host, labels: labels}
}

// Dir returns the directory for a dated record.
func (p *Place) Dir(rec *schema.Record) (string, error) {
	if p.dir != "" && rec.Time >= p.from && rec.Time < p.to && rec.ZoneSeconds == p.zone {
		return p.dir, nil
	}
	t := time.Unix(0, rec.Time).In(time.FixedZone("", int(rec.ZoneSeconds)))
	start, end := p.pattern.Period(t)
	dir, err := p.pattern.Expand(t, p.host, p.labels)
	if err != nil {
		return "", err
	}
	p.from, p.to, p.zone, p.dir = start.UnixNano(), end.UnixNano(), rec.ZoneSeconds, dir
	return dir, nil
}

// Undated returns the directory for a line without a time before any dated line.
func (p *Place) Undated() (string, error) {
	return p.pattern.Expand(time.Unix(0, 0).UTC(), p.host, p.labels)
}

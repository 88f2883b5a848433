package receiver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"strconv"
	"sync"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/collector"
	"sluice/ingest/segment"
	"sluice/parse"
	"sluice/schema"
)

// place is a file on a host as Flume's events name it. When a log is rotated the same name becomes
// another file, and another stream. A stream is identified by the file's first line if that was
// received, and otherwise by the first line that was.
type place struct {
	host, file string // file is "" for events that do not name one
	// counted is true if the events have no offset, so that they are numbered here.
	counted bool
}

// numbering has the next offset for a place's events in this process. An offset is never used for
// another event, not even after a crash, because the next process begins a new stream.
type numbering struct {
	stream *checkpoint.Stream
	next   int64
}

// places are the files that Flume's events name. Two senders may send for one place, so its lock is
// held while lines are appended.
type places struct {
	seed  maphash.Seed
	locks [64]sync.Mutex // each is shared by many places

	mu      sync.Mutex
	numbers map[place]*numbering
}

// maxNumbered is the limit of places whose events are numbered. When it is reached all of them
// begin new streams.
const maxNumbered = 10_000

func newPlaces() *places { return &places{seed: maphash.MakeSeed(), numbers: map[place]*numbering{}} }

func (x *places) lock(p place) *sync.Mutex {
	return &x.locks[maphash.Comparable(x.seed, p)%uint64(len(x.locks))]
}

func (x *places) numbering(p place) *numbering {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := x.numbers[p]
	if n == nil {
		if len(x.numbers) >= maxNumbered {
			clear(x.numbers)
		}
		n = &numbering{}
		x.numbers[p] = n
	}
	return n
}

// cursor is a connection's position in a place. Lines that continue there belong to the same file.
type cursor struct {
	stream *checkpoint.Stream
	end    int64
	runs   int // consecutive runs in this stream
}

// freshRuns is the number of runs, after a sender changed to another file, for which its lines are
// still compared with the previous files. A batch with the end of one file and the beginning of the
// next may be sent again, and the old lines may have the offsets at which the next file continues.
const freshRuns = 16

// countedPath is the path of streams whose events name no file.
const countedPath = "flume"

// olderStreams is how many streams of a place, the newest first, are searched for lines that are
// sent again. Flume only sends its last batches again.
const olderStreams = 4

// put appends a run of a place's lines; data are the lines, which begin at start. It returns the
// stream and the range in which they are stored.
func (r *Receiver) put(ctx context.Context, p place, at cursor, start int64, data []byte) (cursor, schema.Range, error) {
	lock := r.places.lock(p)
	lock.Lock()
	defer lock.Unlock()
	var t *checkpoint.Stream
	var err error
	if p.counted {
		t, start, err = r.number(p, data)
	} else {
		t, err = r.resolve(ctx, p, at, start, data)
	}
	rng := schema.Range{Start: start, End: start + int64(len(data))}
	if err == nil {
		err = r.cfg.Collector.Offer(ctx, t, schema.Batch{Stream: &t.Stream, Range: rng, Data: data, Lines: bytes.Count(data, []byte("\n"))})
	}
	if err != nil {
		return at, rng, err
	}
	runs := 1
	if t == at.stream {
		runs += at.runs
	}
	return cursor{t, rng.End, runs}, rng, nil
}

// number returns the stream and the offset for lines of a place that is numbered.
func (r *Receiver) number(p place, lines []byte) (t *checkpoint.Stream, start int64, err error) {
	n := r.places.numbering(p)
	if n.stream == nil || r.cfg.Checkpoint.Stream(n.stream.ID) == nil { // the checkpoint forgot the stream, after weeks
		life := fmt.Appendf(nil, "%s %d", r.cfg.Checkpoint.Collector(), r.cfg.Now().UnixNano())
		if n.stream, err = r.begin(p, -1, life, lines); err != nil {
			return nil, 0, err
		}
		n.next = 0
	}
	start = n.next
	n.next += int64(len(lines))
	return n.stream, start, nil
}

// resolve finds the stream that lines belong to. Lines that were received before are found in the
// stream that has them, so that they are recognized; lines are never put where a stream has other
// lines.
func (r *Receiver) resolve(ctx context.Context, p place, at cursor, start int64, data []byte) (*checkpoint.Stream, error) {
	rng := schema.Range{Start: start, End: start + int64(len(data))}
	// Flume's TAILDIR source removes a carriage return but counts its byte.
	goesOn := func(t *checkpoint.Stream) bool { return t == at.stream && (start == at.end || start == at.end+1) }
	first, _, _ := bytes.Cut(data, []byte("\n"))
	var next, fresh *checkpoint.Stream
	known := r.streamsOf(p)
	for i, t := range known {
		begins := start == 0 && t.Begins(append(first[:len(first):len(first)], '\n'))
		if start == 0 && !begins || i >= olderStreams && !begins && !goesOn(t) {
			continue
		}
		match, err := r.cfg.Collector.Compare(ctx, t, rng, data)
		if err != nil {
			return nil, err
		}
		switch {
		case match == collector.Same && (i == 0 || dates(t, first)), begins && match != collector.Different:
			return t, nil
		case goesOn(t) && match != collector.Different && at.runs > freshRuns:
			return t, nil
		case goesOn(t) && match != collector.Different:
			next = t // unless an older stream has these lines: the end of the last file, sent again
		case match == collector.Fresh && i == 0:
			fresh = t // unless an older stream has these lines
		}
	}
	if next != nil {
		return next, nil
	}
	if fresh != nil {
		return fresh, nil
	}
	return r.begin(p, start, first, data)
}

// dates reports whether the line has a time. Without one, equal bytes at the same offset of two
// files do not prove that it is the same line.
func dates(t *checkpoint.Stream, line []byte) bool {
	format, err := parse.OfStream(&t.Stream)
	if err != nil {
		return false
	}
	var rec schema.Record
	format.Parse(line, &rec)
	return rec.Dated
}

// streamsOf returns a place's streams, the newest first.
func (r *Receiver) streamsOf(p place) []*checkpoint.Stream {
	known := r.cfg.Checkpoint.Logs.Named(p.host, p.file)
	n := 0
	for _, t := range known {
		if t.Sparse && t.Path == p.file {
			known[n] = t
			n++
		}
	}
	return known[:n]
}

// begin creates a stream in the checkpoint; first is its first received line, at offset start. The
// format is detected from lines.
func (r *Receiver) begin(p place, start int64, first, lines []byte) (*checkpoint.Stream, error) {
	id := placeID(p, start, first)
	if t := r.cfg.Checkpoint.Stream(id); t != nil {
		return t, nil
	}
	entry := schema.StreamEntry{Stream: schema.Stream{ID: id, Host: p.host, Path: p.file, Zone: r.cfg.FlumeZone, Sparse: true}}
	if p.file == "" {
		entry.Path = countedPath
	}
	var err error
	if entry.Format, err = r.flumeFormat(p, lines); err != nil {
		return nil, err
	}
	if err := segment.CheckEntry(entry.Stream, nil); err != nil {
		return nil, err
	}
	r.declaring.Lock()
	defer r.declaring.Unlock()
	t, err := r.enter(entry, true)
	if err != nil {
		return nil, err
	}
	switch {
	case start == 0:
		r.cfg.Checkpoint.Logs.Begin(t, append(first[:len(first):len(first)], '\n'))
	case start > 0:
		r.cfg.Checkpoint.Update(func() { t.SkippedBytes = start })
	}
	return t, r.cfg.Checkpoint.Save()
}

// flumeFormat returns the LogFormat of a place's lines.
func (r *Receiver) flumeFormat(p place, lines []byte) (string, error) {
	if r.cfg.FlumeFormat != parse.AutoName {
		return r.cfg.FlumeFormat, nil
	}
	zone, err := time.LoadLocation(r.cfg.FlumeZone)
	if err != nil {
		return "", err
	}
	format, err := parse.Auto(lines[:min(len(lines), parse.HeadBytes)], zone)
	if err == nil {
		return format.String(), nil
	}
	if known := r.streamsOf(p); len(known) > 0 {
		return known[0].Format, nil
	}
	r.cfg.Log.Warn("format of Flume events not recognized, lines are stored raw only", "host", p.host, "path", p.file, "format", format.String(), "err", err)
	return format.String(), nil
}

// placeID calculates a stream's id from what was received first of it. Another file of the same
// name begins with another line, and another collector that receives the same file from its
// beginning calculates the same id.
func placeID(p place, start int64, first []byte) schema.StreamID {
	h := sha256.New()
	for _, part := range []string{"flume", p.host, p.file, strconv.FormatInt(start, 10)} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	h.Write(first)
	return schema.StreamID(binary.BigEndian.Uint64(h.Sum(nil)))
}

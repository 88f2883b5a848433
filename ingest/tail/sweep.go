package tail

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/schema"
)

// outcome is the result of a look at a file.
type outcome uint8

const (
	atEnd    outcome = iota // nothing is left
	more                    // there may be more to read
	starving                // no buffer is free, or the gate permits nothing
)

// minRead is the least size of a read, so that one line fits.
const minRead = 64 << 10

// sweeper reads what was appended to files.
type sweeper struct {
	*env
	contents    *contents
	streams     *streams
	deliveries  *deliveries
	set         *fileSet
	descriptors *descriptors
	identifier  *identifier
	searcher    *searcher
	turn        int // where the last sweep had to stop
	sweeping    []*file
}

// sweep looks at every open file once. It reports whether there is more to read now, and whether a
// file had to wait for a buffer or for the gate.
func (sw *sweeper) sweep(ctx context.Context) (again, waits bool) {
	// It begins where the last sweep had to stop, so that every file gets its turn.
	n := len(sw.set.hot)
	if sw.turn >= n {
		sw.turn = 0
	}
	sw.sweeping = append(append(sw.sweeping[:0], sw.set.hot[sw.turn:]...), sw.set.hot[:sw.turn]...)
	for i, f := range sw.sweeping {
		if ctx.Err() != nil {
			break
		}
		if f.fd < 0 {
			continue // it was closed while another file was handled
		}
		switch sw.look(ctx, f) {
		case more:
			again = true
		case starving:
			sw.turn += i
			sw.deliveries.flush(ctx)
			return false, true
		}
	}
	waiting, waits := sw.sweepWaiting(ctx)
	sw.deliveries.flush(ctx)
	return again || waiting, waits
}

// look reads what was appended to a file and adds it to the current delivery.
func (sw *sweeper) look(ctx context.Context, f *file) outcome {
	before := sw.descriptors.inUse
	sw.descriptors.inUse = f // it must stay open, because a look may open copies of it
	seen := sw.lookAt(ctx, f)
	sw.descriptors.inUse = before
	f.unseen = seen != atEnd
	return seen
}

// lookAt is look without the bookkeeping.
func (sw *sweeper) lookAt(ctx context.Context, f *file) outcome {
	if f.stream == nil && !sw.identifier.meet(f) {
		return atEnd
	}
	if !sw.deliveries.room(ctx, minRead+markBytes) {
		return starving
	}
	d := sw.deliveries.current
	mark := f.markSize()
	want := cap(d.buffer) - len(d.buffer) - mark
	if sw.gate != nil {
		allowed := sw.gate.Allow(want)
		if allowed <= 0 {
			return starving
		}
		want = min(want, max(allowed, minRead))
	}
	b := d.buffer[len(d.buffer) : len(d.buffer)+mark+want]
	n, err := pread(f.fd, b, f.read-int64(mark))
	if err != nil {
		sw.set.failed(f, fmt.Errorf("read %s: %w", f.path(), err))
		return atEnd
	}
	if n < mark || sw.contents.markOf(b[:mark]) != f.mark {
		sw.truncated(f)
		return more
	}
	if n == mark {
		f.size = f.read
		return atEnd
	}
	if f.read == 0 && !sw.contents.begins(f, b[:n]) { // truncated since it was identified
		sw.truncated(f)
		return more
	}
	return sw.take(ctx, f, b[:n], mark, n < len(b))
}

// take adds the whole lines of b, which begins with the mark, to the current delivery.
func (sw *sweeper) take(ctx context.Context, f *file, b []byte, mark int, ended bool) outcome {
	fresh := b[mark:]
	if grown := f.read + int64(len(fresh)); grown != f.size || !ended {
		f.size, f.active = max(f.size, grown), sw.now
		if ended {
			f.size = grown
		}
	}
	f.growth.note(f.size, sw.now.Sub(sw.began))
	end := bytes.LastIndexByte(fresh, '\n') + 1
	if end == 0 {
		if ended {
			f.part = true
			return atEnd
		}
		if hole := schema.LeadingNULs(fresh); hole > 0 {
			sw.deliveries.hand(f, b[:mark+hole], mark)
			return more
		}
		return sw.longLine(ctx, f)
	}
	sw.deliveries.hand(f, b[:mark+end], mark)
	if ended {
		f.part = end < len(fresh)
		return atEnd
	}
	return more
}

// hand adds b without the mark as a batch. b must be at the end of the current delivery's buffer.
func (ds *deliveries) hand(f *file, b []byte, mark int) {
	d, data := ds.current, b[mark:]
	start := f.read
	f.read += int64(len(data))
	f.part = false
	f.mark = ds.contents.markOf(b)
	lines := logfile.CountLines(data)
	if bytes.IndexByte(data, 0) >= 0 {
		ds.noteHoles(f, data, start)
	}
	d.Batches = append(d.Batches, Batch{Stream: f.stream, Range: schema.Range{Start: start, End: f.read}, Data: data, Lines: lines})
	d.buffer = d.buffer[:len(d.buffer)+len(b)]
	ds.counters.Bytes.Add(int64(len(data)))
	ds.counters.Lines.Add(int64(lines))
	if ds.gate != nil {
		ds.gate.Read(len(data))
	}
}

// truncated handles a file whose bytes before the position have changed: the file begins a new
// stream. The unread part is searched for in a copy.
func (sw *sweeper) truncated(f *file) {
	if s := f.stream; s != nil {
		was, unread := f.read, f.unread()
		if !sw.searcher.continueInCopy(f) {
			sw.streams.lost(f, unread)
			sw.cfg.Checkpoint.Update(func() { s.GoneUnix = sw.now.Unix() }) // nothing is left to search for
		}
		sw.cfg.Log.Info("log truncated", "path", f.path(), "read_bytes", was, "stream", s.ID)
		sw.streams.positions[s.ID] = max(sw.streams.positions[s.ID], was)
		f.rotated(sw.now)
	}
	f.stream, f.copied, f.hole, f.holeBytes = nil, false, 0, 0
	f.read, f.size, f.mark, f.growth = 0, 0, sw.contents.markOf(nil), nil
}

// checkTruncated looks for logs that were truncated while reading has to wait, so that their loss is
// reported at once, and not when they are read.
func (sw *sweeper) checkTruncated() {
	before := sw.descriptors.inUse
	for _, f := range slices.Clone(sw.set.hot) {
		if f.fd < 0 || f.stream == nil || f.unread() == 0 {
			continue
		}
		size, err := fileSize(f.fd)
		if err != nil || f.read == 0 && size >= f.size { // without a position there are no bytes to compare
			continue
		}
		b := sw.contents.before[:f.markSize()]
		if n, err := pread(f.fd, b, f.read-int64(len(b))); err != nil || f.read > 0 && n == len(b) && sw.contents.markOf(b) == f.mark {
			continue // a look reports the error
		}
		sw.descriptors.inUse = f // it must stay open, because copies may be opened
		sw.truncated(f)
	}
	sw.descriptors.inUse = before
}

// lostUnread counts the unread part of a log that is gone, unless a copy has it.
func (sw *sweeper) lostUnread(f *file) {
	switch {
	case f.stream != nil && sw.searcher.continueInCopy(f):
	case f.stream != nil:
		sw.streams.lost(f, f.unread())
	case f.size > 0:
		sw.addLoss(checkpoint.Loss{Path: f.last, Bytes: f.size}, nil)
		sw.cfg.Log.Error("log deleted before it could be read, lines lost", "path", f.last, "bytes", f.size, "err", f.err)
	}
}

// sweepWaiting opens and looks at each log that waits for a descriptor. It reports whether some
// still wait with unread lines, and whether reading must wait for a buffer or the gate.
func (sw *sweeper) sweepWaiting(ctx context.Context) (again, waits bool) {
	for range len(sw.set.waiting) {
		if ctx.Err() != nil {
			break
		}
		f := sw.set.waiting[0]
		if !sw.reopen(f) {
			continue
		}
		switch sw.look(ctx, f) {
		case more:
			again = true
		case starving:
			return false, true
		}
	}
	return again || len(sw.set.waiting) > 0, false
}

// reopen opens a log that waited. It returns false if it cannot be read now.
func (sw *sweeper) reopen(f *file) bool {
	if len(f.places) == 0 {
		sw.lostUnread(f)
		sw.set.end(f)
		return false
	}
	return sw.descriptors.open(f)
}

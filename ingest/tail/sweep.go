package tail

import (
	"bytes"
	"context"
	"fmt"

	"sluice/ingest/logfile"
	"sluice/schema"
)

// outcome of a look at a file.
type outcome uint8

const (
	atEnd    outcome = iota // nothing is left
	more                    // there may be more to read
	starving                // no buffer is free, or the gate is shut
)

// minRead is what a file is read by at least, so that one line fits.
const minRead = 64 << 10

// sweep looks at every hot file once. It reports whether there is more to read
// now, and whether a file had to wait for a buffer or for the gate.
func (t *Tailer) sweep(ctx context.Context) (again, waits bool) {
	// The files' turn goes on where a scarce budget ended.
	n := len(t.hot)
	if t.turn >= n {
		t.turn = 0
	}
	t.sweeping = append(append(t.sweeping[:0], t.hot[t.turn:]...), t.hot[:t.turn]...)
	for i, f := range t.sweeping {
		if ctx.Err() != nil {
			break
		}
		if f.fd < 0 {
			continue // closed by what happened to another one
		}
		switch t.look(ctx, f) {
		case more:
			again = true
		case starving:
			t.turn += i
			t.flush(ctx)
			return false, true
		}
	}
	waiting, waits := t.sweepWaiting(ctx)
	t.flush(ctx)
	return again || waiting, waits
}

// look reads what a file has grown by and puts it into the present delivery.
func (t *Tailer) look(ctx context.Context, f *file) outcome {
	before := t.inUse
	t.inUse = f // it stays open: a look may open the copies that were made of it
	seen := t.lookAt(ctx, f)
	t.inUse = before
	f.unseen = seen != atEnd
	return seen
}

// lookAt is look.
func (t *Tailer) lookAt(ctx context.Context, f *file) outcome {
	if f.stream == nil && !t.meet(f) {
		return atEnd
	}
	if !t.room(ctx, minRead+markBytes) {
		return starving
	}
	d := t.current
	mark := f.markSize()
	want := cap(d.buffer) - len(d.buffer) - mark
	if t.gate != nil {
		allowed := t.gate.Allow(want)
		if allowed <= 0 {
			return starving
		}
		want = min(want, max(allowed, minRead))
	}
	b := d.buffer[len(d.buffer) : len(d.buffer)+mark+want]
	n, err := pread(f.fd, b, f.read-int64(mark))
	if err != nil {
		t.failed(f, fmt.Errorf("read %s: %w", f.path(), err))
		return atEnd
	}
	if n < mark || t.markOf(b[:mark]) != f.mark {
		t.truncated(f)
		return more
	}
	if n == mark {
		f.size = f.read
		return atEnd
	}
	if f.read == 0 && !t.begins(f, b[:n]) { // truncated since it was identified
		t.truncated(f)
		return more
	}
	return t.take(ctx, f, b[:n], mark, n < len(b))
}

// take puts the whole lines of b, which begins with the mark, into the present
// delivery.
func (t *Tailer) take(ctx context.Context, f *file, b []byte, mark int, ended bool) outcome {
	fresh := b[mark:]
	if grown := f.read + int64(len(fresh)); grown != f.size || !ended {
		f.size, f.active = max(f.size, grown), t.now
		if ended {
			f.size = grown
		}
	}
	f.growth.note(f.size, t.now.Sub(t.began))
	end := bytes.LastIndexByte(fresh, '\n') + 1
	if end == 0 {
		if ended {
			f.part = true
			return atEnd
		}
		if hole := schema.LeadingNULs(fresh); hole > 0 {
			t.hand(f, b[:mark+hole], mark)
			return more
		}
		return t.longLine(ctx, f)
	}
	t.hand(f, b[:mark+end], mark)
	if ended {
		f.part = end < len(fresh)
		return atEnd
	}
	return more
}

// hand makes b, less the mark it begins with, a batch. b lies at the end of the
// present delivery's buffer.
func (t *Tailer) hand(f *file, b []byte, mark int) {
	d, data := t.current, b[mark:]
	start := f.read
	f.read += int64(len(data))
	f.part = false
	f.mark = t.markOf(b)
	lines := logfile.CountLines(data)
	if bytes.IndexByte(data, 0) >= 0 {
		t.noteHoles(f, data, start)
	}
	d.Batches = append(d.Batches, Batch{Stream: f.stream, Range: schema.Range{Start: start, End: f.read}, Data: data, Lines: lines})
	d.buffer = d.buffer[:len(d.buffer)+len(b)]
	t.counters.Bytes.Add(int64(len(data)))
	t.counters.Lines.Add(int64(lines))
	if t.gate != nil {
		t.gate.Read(len(data))
	}
}

// longLine reads a line that is longer than the room in the buffer. What goes on
// for longer than logfile.MaxLineBytes is cut there.
func (t *Tailer) longLine(ctx context.Context, f *file) outcome {
	mark := f.markSize()
	for size := 2 * bufferBytes; ; size *= 2 {
		if !t.room(ctx, size) {
			return starving
		}
		d := t.current
		if len(d.buffer) > 0 { // a line longer than what was left: one by itself
			t.flush(ctx)
			size /= 2
			continue
		}
		b := d.buffer[:min(cap(d.buffer), logfile.MaxLineBytes+mark)]
		n, err := pread(f.fd, b, f.read-int64(mark))
		if err != nil {
			t.failed(f, fmt.Errorf("read %s: %w", f.path(), err))
			return atEnd
		}
		if n <= mark {
			return more // truncated meanwhile: the next look tells
		}
		end := bytes.LastIndexByte(b[mark:n], '\n') + 1
		switch {
		case end > 0:
			t.hand(f, b[:mark+end], mark)
			return more
		case n < len(b):
			f.part = true
			return atEnd
		case n == logfile.MaxLineBytes+mark:
			t.hand(f, b[:n], mark)
			return more
		}
	}
}

// finishLine takes a last line that will get no newline any more. It reports false when
// it is to be tried again: there was no room, or the log has grown meanwhile.
func (t *Tailer) finishLine(ctx context.Context, f *file) bool {
	if f.stream == nil && !t.identify(f, true) {
		return true
	}
	for {
		mark := f.markSize()
		if !t.room(ctx, minRead+mark) {
			return false
		}
		d := t.current
		// One byte more than there is says whether it is all.
		want := min(cap(d.buffer)-len(d.buffer)-mark, int(max(f.unread()+1, minRead)))
		b := d.buffer[len(d.buffer) : len(d.buffer)+mark+want]
		n, err := pread(f.fd, b, f.read-int64(mark))
		if err != nil || n <= mark || t.markOf(b[:mark]) != f.mark {
			return true
		}
		switch end := bytes.LastIndexByte(b[mark:n], '\n') + 1; {
		case end > 0: // whoever wrote that may yet end what is behind it
			t.hand(f, b[:mark+end], mark)
			f.size, f.active = max(f.size, f.read), t.now
			return false
		case n < len(b):
			t.hand(f, b[:n], mark)
			return true
		}
		if t.longLine(ctx, f) == starving { // the buffer grows to it
			return false
		}
	}
}

// meet identifies a hot file that has no stream yet. It reports false while its
// first line is not whole, or when it is not to be read.
func (t *Tailer) meet(f *file) bool {
	before := t.inUse
	t.inUse = f
	defer func() { t.inUse = before }()
	if !t.identify(f, false) {
		return false
	}
	t.met(f)
	return true
}

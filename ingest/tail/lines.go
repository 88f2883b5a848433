package tail

import (
	"bytes"
	"context"
	"fmt"

	"sluice/ingest/logfile"
)

// longLine reads a line that is longer than the space in the buffer. A line longer than
// logfile.MaxLineBytes is cut there.
func (sw *sweeper) longLine(ctx context.Context, f *file) outcome {
	mark := f.markSize()
	for size := 2 * bufferBytes; ; size *= 2 {
		if !sw.deliveries.room(ctx, size) {
			return starving
		}
		d := sw.deliveries.current
		if len(d.buffer) > 0 { // the line gets a buffer of its own
			sw.deliveries.flush(ctx)
			size /= 2
			continue
		}
		b := d.buffer[:min(cap(d.buffer), logfile.MaxLineBytes+mark)]
		n, err := pread(f.fd, b, f.read-int64(mark))
		if err != nil {
			sw.set.failed(f, fmt.Errorf("read %s: %w", f.path(), err))
			return atEnd
		}
		if n <= mark {
			return more // truncated meanwhile: the next look finds that
		}
		end := bytes.LastIndexByte(b[mark:n], '\n') + 1
		switch {
		case end > 0:
			sw.deliveries.hand(f, b[:mark+end], mark)
			return more
		case n < len(b):
			f.part = true
			return atEnd
		case n == logfile.MaxLineBytes+mark:
			sw.deliveries.hand(f, b[:n], mark)
			return more
		}
	}
}

// finishLine delivers a last line that will not get a newline any more. It returns false if it must
// be tried again because no buffer was free or the log has grown meanwhile.
func (sw *sweeper) finishLine(ctx context.Context, f *file) bool {
	if f.stream == nil && !sw.identifier.identify(f, true) {
		return true
	}
	for {
		mark := f.markSize()
		if !sw.deliveries.room(ctx, minRead+mark) {
			return false
		}
		d := sw.deliveries.current
		// One byte more than is expected shows whether the file ends there.
		want := min(cap(d.buffer)-len(d.buffer)-mark, int(max(f.unread()+1, minRead)))
		b := d.buffer[len(d.buffer) : len(d.buffer)+mark+want]
		n, err := pread(f.fd, b, f.read-int64(mark))
		if err != nil || n <= mark || sw.contents.markOf(b[:mark]) != f.mark {
			return true
		}
		switch end := bytes.LastIndexByte(b[mark:n], '\n') + 1; {
		case end > 0: // the process that wrote this may still complete the line behind it
			sw.deliveries.hand(f, b[:mark+end], mark)
			f.size, f.active = max(f.size, f.read), sw.now
			return false
		case n < len(b):
			sw.deliveries.hand(f, b[:n], mark)
			return true
		}
		if sw.longLine(ctx, f) == starving { // the buffer is enlarged for it
			return false
		}
	}
}

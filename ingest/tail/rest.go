package tail

import (
	"context"
	"io"
	"slices"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/schema"
)

// rest is what a compressed copy holds of a stream beyond a position.
type rest struct {
	stream *checkpoint.Stream
	lines  *logfile.LineReader
	close  func() error
	path   string
	at     time.Time // when it was found
}

// readRest has a compressed copy read from position as the stream's continuation.
func (t *Tailer) readRest(s *checkpoint.Stream, path string, position int64) bool {
	r, err := logfile.Open(path)
	if err != nil {
		return false
	}
	if err := logfile.Skip(r, position); err != nil {
		r.Close() //nolint:errcheck // it was only read
		return false
	}
	if l, err := logfile.Look(path); err == nil {
		t.cfg.Checkpoint.AddFile(s, path, l.ID, t.bornNs(l.ID, l.BornNs))
	}
	t.cfg.Log.Info("the rest of a log is read from its compressed copy", "log", s.Path, "copy", path, "from", position)
	t.rests = append(t.rests, &rest{s, logfile.NewLineReader(r, position), r.Close, path, t.now})
	return true
}

// continueRests reads a batch from each compressed copy.
func (t *Tailer) continueRests(ctx context.Context) {
	t.rests = slices.DeleteFunc(t.rests, func(r *rest) bool {
		if t.gate != nil && t.gate.Allow(bufferBytes) <= 0 {
			return false
		}
		t.flush(ctx)
		if !t.room(ctx, bufferBytes) {
			return false
		}
		done, err := t.continueRest(r)
		if err != nil {
			t.counters.Failures.Add(1)
			t.cfg.Log.Error("a compressed log cannot be read to its end", "log", r.path, "error", err)
		}
		if done = done || err != nil; done {
			r.close() //nolint:errcheck // it was only read
			s := r.stream
			t.cfg.Checkpoint.Update(func() { s.GoneUnix = t.now.Unix() })
			t.positions[s.ID] = max(t.positions[s.ID], r.lines.Position())
		}
		return done
	})
	t.flush(ctx)
}

func (t *Tailer) continueRest(r *rest) (done bool, err error) {
	d := t.current
	c, err := r.lines.Next(d.buffer)
	d.buffer = c.Data
	if len(c.Data) > 0 {
		d.Batches = append(d.Batches, Batch{r.stream, schema.Range{Start: c.Start, End: c.Start + int64(len(c.Data))}, c.Data, c.Lines})
		t.counters.Bytes.Add(int64(len(c.Data)))
		t.counters.Lines.Add(int64(c.Lines))
		if t.gate != nil {
			t.gate.Read(len(c.Data))
		}
	}
	if err == io.EOF {
		return true, nil
	}
	return false, err
}

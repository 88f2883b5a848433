package tail

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/schema"
)

// rest is the part of a stream beyond a position that a compressed copy has.
type rest struct {
	stream   *checkpoint.Stream
	path     string
	position int64     // where reading begins
	at       time.Time // when it was found

	lines *logfile.LineReader // nil until it is opened
	close func() error
}

// restReader reads the rests of streams from compressed copies, one copy after the other.
type restReader struct {
	*env
	streams     *streams
	deliveries  *deliveries
	set         *fileSet
	descriptors *descriptors
	rests       []*rest
	nextRest    time.Time // not opened before that time
}

// readRest queues a compressed copy to be read from position as the stream's continuation. It is
// opened when those before it are read, so that many copies need only one descriptor at a time.
func (rr *restReader) readRest(q *quest, path string) bool {
	r := &rest{stream: q.stream, path: path, position: q.position, at: rr.now}
	if err := r.open(); err != nil {
		q.failed(err)
		return false
	}
	if l, err := logfile.Look(path); err == nil {
		rr.cfg.Checkpoint.Logs.AddFile(r.stream, path, l.ID, rr.bornNs(l.ID, l.BornNs))
	}
	rr.cfg.Log.Info("reading the rest of a log from its compressed copy", "path", r.stream.Path, "copy", path, "offset", r.position)
	if len(rr.rests) > 0 {
		r.shut()
	}
	rr.rests = append(rr.rests, r)
	return true
}

// open opens the copy at its position, if it is not open.
func (r *rest) open() error {
	if r.lines != nil {
		return nil
	}
	f, err := logfile.Open(r.path)
	if err != nil {
		return err
	}
	if err := logfile.Skip(f, r.position); err != nil {
		return errors.Join(err, f.Close())
	}
	r.lines, r.close = logfile.NewLineReader(f, r.position), f.Close
	return nil
}

// shut closes the copy; open continues where it was closed.
func (r *rest) shut() {
	if r.lines != nil {
		r.close() //nolint:errcheck // it was only read
		r.position, r.lines = r.lines.Position(), nil
	}
}

// restPause is the time between two attempts to open a compressed copy when no descriptor is free.
const restPause = time.Second

// continueRests reads as many batches as there are compressed copies, one copy after the other. It
// reports whether reading must wait for a buffer or the gate.
func (rr *restReader) continueRests(ctx context.Context) (waits bool) {
	for range len(rr.rests) {
		if rr.now.Before(rr.nextRest) {
			break
		}
		if waits = rr.gate != nil && rr.gate.Allow(bufferBytes) <= 0; waits {
			break
		}
		rr.deliveries.flush(ctx)
		if waits = !rr.deliveries.room(ctx, bufferBytes); waits {
			break
		}
		rr.continueFirst(rr.rests[0])
	}
	rr.deliveries.flush(ctx)
	return waits
}

// continueFirst reads a batch from the first copy in the queue.
func (rr *restReader) continueFirst(r *rest) {
	err := r.open()
	if err != nil && rr.descriptors.pressed(err) {
		err = r.open()
	}
	switch {
	case err == nil:
	case noDescriptor(err):
		rr.nextRest = rr.now.Add(restPause)
		return
	default: // it was removed meanwhile; another copy may have the same lines
		rr.cfg.Log.Warn("compressed copy cannot be read, looking for another", "path", r.stream.Path, "copy", r.path, "err", err)
		rr.rests = slices.Delete(rr.rests, 0, 1)
		rr.streams.missing = append(rr.streams.missing, r.stream)
		return
	}
	done, err := rr.continueRest(r)
	if err != nil {
		rr.counters.Failures.Add(1)
		rr.cfg.Log.Error("compressed log cannot be read to its end", "path", r.path, "err", err)
	}
	if done || err != nil {
		r.shut()
		rr.rests = slices.Delete(rr.rests, 0, 1)
		s := r.stream
		rr.cfg.Checkpoint.Update(func() { s.GoneUnix = rr.now.Unix() })
		rr.streams.positions[s.ID] = max(rr.streams.positions[s.ID], r.position)
	}
}

func (rr *restReader) continueRest(r *rest) (done bool, err error) {
	d := rr.deliveries.current
	c, err := r.lines.Next(d.buffer)
	d.buffer = c.Data
	if len(c.Data) > 0 {
		d.Batches = append(d.Batches, Batch{r.stream, schema.Range{Start: c.Start, End: c.Start + int64(len(c.Data))}, c.Data, c.Lines})
		rr.counters.Bytes.Add(int64(len(c.Data)))
		rr.counters.Lines.Add(int64(c.Lines))
		if rr.gate != nil {
			rr.gate.Read(len(c.Data))
		}
	}
	if err == io.EOF {
		return true, nil
	}
	return false, err
}

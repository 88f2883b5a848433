package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/checkpoint"
	"sluice/ingest/collector"
	"sluice/ingest/logfile"
	"sluice/parse"
	"sluice/schema"
)

// OnceConfig configures Once.
type OnceConfig struct {
	Checkpoint *checkpoint.File
	Collector  *collector.Collector
	Host       string
	// Format is a LogFormat, a nickname, a pattern (parse.Lookup), or parse.AutoName.
	Format string
	// Zone is the IANA name of the time zone of times without one. "": UTC.
	Zone string
	// Labels are the labels of all logs. nil: a known log keeps its labels.
	Labels map[string]string
	Log    *slog.Logger
	// Now is the clock. nil: time.Now.
	Now func() time.Time
}

// OnceResult is the result of Once.
type OnceResult struct {
	// Files is the number of logs that were read to their end, EarlierBytes the number of bytes
	// that earlier runs had stored.
	Files, EarlierBytes int64
	// Failed has an error for each log that could not be read to its end, and for each log that was
	// replaced before that.
	Failed []error
}

// Once reads every log to its end, from the position that an earlier run reached. A log that fails
// is left at its last position, and the next one is read. When ctx is done, Once stops between two
// batches. An error is of table, archive, spool or checkpoint, or ctx's; the next run reads the
// lines that are not stored yet again. The caller closes the collector, whatever Once returns.
func Once(ctx context.Context, cfg OnceConfig, logs []logfile.Log) (OnceResult, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	var result OnceResult
	known := cfg.Checkpoint.Streams()
	streams := make([]*checkpoint.Stream, len(logs))
	for i, l := range logs {
		t, err := cfg.identify(l)
		if err != nil {
			result.Failed = append(result.Failed, err)
			continue
		}
		streams[i] = t
	}
	// The checkpoint must have a stream before the spool contains lines of it.
	if err := cfg.Checkpoint.Save(); err != nil {
		return result, err
	}
	for i, l := range logs {
		if streams[i] == nil {
			continue
		}
		earlier, err := cfg.read(ctx, l, streams[i])
		var failed *logError
		switch {
		case errors.As(err, &failed):
			result.Failed = append(result.Failed, err)
		case err != nil:
			return result, err
		default:
			result.Files++
		}
		result.EarlierBytes += earlier
	}
	lost := cfg.replaced(known, logs, streams)
	if len(lost) == 0 {
		return result, nil
	}
	result.Failed = append(result.Failed, lost...)
	return result, cfg.Checkpoint.Save()
}

// logError is an error of one log, as opposed to one of storing its lines.
type logError struct{ error }

func (e *logError) Unwrap() error { return e.error }

// identify opens the log, chooses its format, and finds its stream. A log without any content has
// no stream: nil.
func (cfg *OnceConfig) identify(l logfile.Log) (*checkpoint.Stream, error) {
	r, err := l.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	start, _, err := logfile.Head(r, make([]byte, parse.HeadBytes))
	if err != nil && len(start) == 0 {
		return nil, unreadable(l.Path, 0, err)
	}
	if len(start) == 0 {
		return nil, nil
	}
	// A stream is identified by its first line, which must be complete.
	damaged := (*logfile.DamagedError)(nil)
	if errors.As(err, &damaged) && len(start) < schema.MaxHeadBytes && bytes.IndexByte(start, '\n') < 0 {
		return nil, unreadable(l.Path, 0, err)
	}
	format := cfg.Format
	if format == parse.AutoName {
		f, err := parse.Auto(start, nil)
		if err != nil {
			cfg.Log.Warn("log format not recognized, lines are stored raw only", "path", l.Path, "format", f.String(), "err", err)
		}
		format = f.String()
	}
	t, err := cfg.Checkpoint.Logs.Identify(schema.StreamEntry{Stream: schema.Stream{Host: cfg.Host, Path: l.Path}, Labels: cfg.Labels}, checkpoint.Log{Path: l.Path, ID: l.ID, BornNs: l.BornNs, Start: start, Open: l.Open})
	if err != nil {
		return nil, &logError{fmt.Errorf("%s: %w", l.Path, err)}
	}
	cfg.Checkpoint.Update(func() {
		t.Format, t.Zone = format, cfg.Zone
		if len(cfg.Labels) > 0 {
			t.Labels = cfg.Labels
		}
	})
	return t, nil
}

// read reads one log from its stored position to its end. It returns the number of bytes that were
// stored before.
func (cfg *OnceConfig) read(ctx context.Context, l logfile.Log, t *checkpoint.Stream) (int64, error) {
	r, err := l.Open()
	if err != nil {
		return 0, &logError{err}
	}
	defer r.Close()
	stored := cfg.Collector.Received(t)
	if err := logfile.Skip(r, stored); err != nil {
		return stored, &logError{fmt.Errorf("%s is shorter than what is stored of it (%d bytes): %w", l.Path, stored, err)}
	}
	chunks := make(chan logfile.Chunk)
	free := make(chan []byte, 2)
	free <- nil
	free <- nil
	group, ctx := errgroup.WithContext(ctx)
	var unread error // error of the log; what was read before it is still stored
	group.Go(func() error {
		defer close(chunks)
		err := logfile.ReadChunks(ctx, r, stored, free, chunks)
		if ctx.Err() == nil {
			unread = err
		}
		return ctx.Err()
	})
	group.Go(func() error { return cfg.append(ctx, t, chunks, free) })
	err = group.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = context.Canceled
	}
	if err == nil && unread != nil {
		err = &logError{unreadable(l.Path, cfg.Collector.Received(t), unread)}
	}
	return stored, err
}

// unreadable returns the error of a log whose lines up to end are stored. After end there may be
// the beginning of a line, which is not stored until the log is whole.
func unreadable(path string, end int64, err error) error {
	var damaged *logfile.DamagedError
	if errors.As(err, &damaged) && end == 0 {
		return fmt.Errorf("%w; it has no whole line before that", err)
	}
	if damaged != nil {
		return fmt.Errorf("%w; the whole lines before it are stored, up to byte %d of what it holds; replace it with an undamaged copy and run again, the run continues from there", err, end)
	}
	return fmt.Errorf("%s: read: %w", path, err)
}

// append passes one log's lines to the collector.
func (cfg *OnceConfig) append(ctx context.Context, t *checkpoint.Stream, chunks <-chan logfile.Chunk, free chan<- []byte) error {
	var holeBytes int64
	defer func() {
		if holeBytes > 0 {
			cfg.Log.Warn("log has NUL bytes before lines, skipped", "path", t.Path, "bytes", holeBytes)
		}
	}()
	for c := range chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := c.Start + int64(len(c.Data))
		holeBytes += schema.HoleBytes(c.Data)
		err := cfg.Collector.Offer(ctx, t, schema.Batch{
			Stream: &t.Stream, Range: schema.Range{Start: c.Start, End: end}, Data: c.Data, Lines: c.Lines,
		})
		if err != nil {
			return err
		}
		cfg.Checkpoint.Fingerprints.Remember(t, c.Data, end)
		free <- c.Data[:0]
	}
	return nil
}

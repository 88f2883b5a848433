package soak

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"sluice/bench/sample"
	"sluice/hbase"
	"sluice/parse"
	"sluice/schema"
)

// load is work that is done while faults happen.
type load interface {
	// Run works at full speed until enough is closed, then finishes what it has begun and returns
	// nil. It must not give up before ctx ends: a broken cluster is not an error.
	Run(ctx context.Context, enough <-chan struct{}) error
}

const (
	linesPerLog = 50_000
	// linesPerPut is the approximate size of a collector's batch.
	linesPerPut = 5_000
	// againEvery: every second log is written a second time, which must change nothing. Not every
	// one, because the second write would hide a row that the first one lost.
	againEvery = 2
)

// logs are the logs that were written so far. writer generates them, reader reads them.
type logs struct {
	layout schema.Layout

	mu   sync.Mutex
	done []*log
	// lines is the number of lines, puts the number of lines that were put, repetitions included.
	lines, puts atomic.Int64
}

// log is the log of one host. Each has its own hours.
type log struct {
	seed   uint64
	start  time.Time
	stream schema.Stream
}

// hoursPerLog is the time between the beginnings of consecutive logs.
const hoursPerLog = 1

func newLog(seed, i uint64) *log {
	host := fmt.Sprintf("web%03d", i)
	return &log{
		seed:   seed<<20 + i,
		start:  time.Date(2026, time.September, 2, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * hoursPerLog * time.Hour),
		stream: schema.Stream{ID: schema.NewStreamID(host, seed, i, nil), Host: host, Path: "/var/log/apache2/access.log", Format: "combined"},
	}
}

// scan selects the log's rows with a time.
func (l *log) scan() schema.Scan {
	return schema.Scan{
		From: l.start.Add(-10 * time.Minute).UnixNano(), To: l.start.Add(50 * time.Minute).UnixNano(),
		Streams: []schema.StreamID{l.stream.ID},
	}
}

// text generates the log's lines.
func (l *log) text() ([]byte, error) {
	s := sample.New(l.seed, linesPerLog)
	s.Start = l.start
	var text bytes.Buffer
	_, err := s.WriteTo(&text)
	return text.Bytes(), err
}

// pick returns a random log that was written and flushed; nil if there is none yet.
func (l *logs) pick(rng *rand.Rand) *log {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.done) == 0 {
		return nil
	}
	return l.done[rng.IntN(len(l.done))]
}

// writer is a load that writes one log after another.
type writer struct {
	logs    *logs
	table   *hbase.Table
	seed    uint64
	maxLogs int // after these, existing logs are written again
}

// Run implements load.
func (w *writer) Run(ctx context.Context, enough <-chan struct{}) error {
	format, err := parse.Lookup("combined", time.UTC)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(w.seed, 2))
	for i := uint64(0); ; i++ {
		select {
		case <-enough:
			return nil
		default:
		}
		l, first := newLog(w.seed, i), i < uint64(w.maxLogs)
		if !first {
			i := rng.IntN(w.maxLogs) / againEvery * againEvery
			l = newLog(w.seed, uint64(i))
		}
		if err := w.write(ctx, l, format, first); err != nil {
			return err
		}
		if first {
			w.logs.mu.Lock()
			w.logs.done = append(w.logs.done, l)
			w.logs.mu.Unlock()
			if i%againEvery == 0 {
				if err := w.write(ctx, l, format, false); err != nil {
					return err
				}
			}
		}
	}
}

// write puts a log into the table.
func (w *writer) write(ctx context.Context, l *log, format *parse.Format, first bool) error {
	text, err := l.text()
	if err != nil {
		return err
	}
	encoder := w.table.Layout().NewRowEncoder(&l.stream, format.Fields())
	var rows schema.Rows
	var rec schema.Record
	put := func() error {
		if first {
			w.logs.lines.Add(int64(rows.Len()))
		}
		if err := w.table.Put(ctx, &rows); err != nil {
			return err
		}
		w.logs.puts.Add(int64(rows.Len()))
		rows.Reset()
		return nil
	}
	offset := int64(0)
	for line := range bytes.Lines(text) {
		format.Parse(bytes.TrimSuffix(line, []byte("\n")), &rec)
		encoder.Append(&rows, offset, &rec)
		offset += int64(len(line))
		if rows.Len() == linesPerPut {
			if err := put(); err != nil {
				return err
			}
		}
	}
	if err := put(); err != nil {
		return err
	}
	return w.table.Flush(ctx)
}

// reader is a load that scans written logs, with its own client, and compares them.
type reader struct {
	logs  *logs
	table *hbase.Table
	seed  uint64

	rows, scans atomic.Int64
}

// Run implements load.
func (r *reader) Run(ctx context.Context, enough <-chan struct{}) error {
	rng := rand.New(rand.NewPCG(r.seed, 3))
	for {
		select {
		case <-enough:
			return nil
		default:
		}
		l := r.logs.pick(rng)
		if l == nil {
			wait(ctx, 100*time.Millisecond)
			continue
		}
		rows, err := sameLines(ctx, r.logs, r.table, l.scan())
		if err != nil {
			return fmt.Errorf("scan of %s: %w", l.stream.Host, err)
		}
		r.rows.Add(rows)
		r.scans.Add(1)
	}
}

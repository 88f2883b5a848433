package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/avrorpc"
	"sluice/ingest/checkpoint"
	"sluice/ingest/flume"
	"sluice/retry"
	"sluice/schema"
)

const (
	// flumeEvents is the batch size of Flume's own Avro sink, and the default transaction capacity
	// of a Flume channel.
	flumeEvents = 100
	// flumeBytes is the limit of a batch's bytes; a longer line is sent alone.
	flumeBytes = 1 << 20
)

// runFlumeSession sends to a Flume Avro source until the connection breaks, all is sent, or a
// preferred collector is reachable again, as runSession does for a collector. When Flume replies OK
// its channel has the events, and they count as stored.
func (s *sender) runFlumeSession(ctx context.Context, route *Route, connected func()) (preferred string, err error) {
	collector := route.Present()
	c, err := s.cfg.connect(ctx, collector)
	if err != nil {
		return "", err
	}
	defer c.Close() //nolint:errcheck // it returns nil
	s.connection.connected(collector, s.cfg.Now())
	s.cfg.Log.Info("Flume source connected", "collector", collector)
	connected()
	f := &flumeSession{env: s.env, client: &flume.Client{Client: c}}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return f.deliver(running) })
	group.Go(func() (err error) { preferred, err = s.lookForPreferred(running, route); return err })
	group.Go(func() error {
		select {
		case <-c.Broken():
			return c.Err()
		case <-running.Done():
			return nil
		}
	})
	return preferred, group.Wait()
}

// flumeSession is one connection to a Flume Avro source.
type flumeSession struct {
	*env
	client *flume.Client
}

// deliver sends the batches of the window and waits for more. Only one request is in flight, as
// with Flume's own sink, because Flume's source does not keep the order of concurrent requests.
func (s *flumeSession) deliver(ctx context.Context) error {
	e := newEvents(s.cfg.Tail.Host, s.cfg.Now)
	for {
		p, err := s.window.next(ctx, 0)
		if err != nil {
			return err
		}
		if p == nil {
			return errDrained
		}
		for {
			// What Flume accepted before the connection broke is not sent again.
			from := max(p.Start, s.cfg.Checkpoint.Stored(p.stream))
			if from >= p.End {
				break
			}
			end := e.of(p, from)
			if err := s.offer(ctx, e.events); err != nil {
				return fmt.Errorf("%s from byte %d: %w", p.stream.Path, from, err)
			}
			s.cfg.Checkpoint.Update(func() { p.stream.Stored = max(p.stream.Stored, end) })
			s.saver.changed()
			s.connection.sent(len(e.events))
		}
		s.window.done(p)
	}
}

// offer sends events, and repeats it with pauses while the source rejects them because its channel
// is full.
func (s *flumeSession) offer(ctx context.Context, events []flume.Event) error {
	backoff := retry.Backoff{First: firstPause, Max: maxPause}
	for {
		err := s.client.Append(ctx, events)
		var remote *avrorpc.RemoteError
		if err == nil {
			s.connection.busy("")
			return nil
		}
		if !errors.Is(err, flume.ErrFailed) && !errors.As(err, &remote) {
			return err
		}
		s.connection.busy(err.Error())
		if err := backoff.Wait(ctx); err != nil {
			return err
		}
	}
}

// events builds Flume events from lines, with the headers of Flume's own sources and interceptors
// and the log's labels.
type events struct {
	host   []byte
	now    func() time.Time
	stream *checkpoint.Stream
	common []flume.Header // headers that are the same for all lines of stream
	events []flume.Event
}

func newEvents(host string, now func() time.Time) *events {
	return &events{host: []byte(host), now: now}
}

// of fills e.events with the lines of p from position from on, up to flumeEvents or flumeBytes. It
// returns the position after the last one.
func (e *events) of(p *encodedBatch, from int64) (end int64) {
	if p.stream != e.stream {
		e.stream = p.stream
		e.common = []flume.Header{{Key: []byte(flume.HeaderHost), Value: e.host}, {Key: []byte(flume.HeaderFile), Value: []byte(p.stream.Path)}}
		for _, name := range slices.Sorted(maps.Keys(p.stream.Labels)) {
			e.common = append(e.common, flume.Header{Key: []byte(name), Value: []byte(p.stream.Labels[name])})
		}
	}
	now := strconv.AppendInt(nil, e.now().UnixMilli(), 10)
	data := p.body[from-p.Start:]
	e.events = e.events[:0]
	for total := 0; len(data) > 0 && len(e.events) < flumeEvents; {
		line, at, size, ok := schema.CutLine(data)
		if total += len(line); total > flumeBytes && len(e.events) > 0 {
			break
		}
		if ok {
			e.add(line, from+int64(at), now)
		}
		data, from = data[size:], from+int64(size)
	}
	return from
}

// add appends the event of a line that begins at offset in the log.
func (e *events) add(line []byte, offset int64, now []byte) {
	headers := append(e.common[:len(e.common):len(e.common)],
		flume.Header{Key: []byte(flume.HeaderTimestamp), Value: now},
		flume.Header{Key: []byte(flume.HeaderByteOffset), Value: strconv.AppendInt(nil, offset, 10)})
	e.events = append(e.events, flume.Event{Headers: headers, Body: line})
}

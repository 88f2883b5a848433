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
	// flumeEvents are as many as Flume's own sink sends at a time, and as a channel of
	// Flume's takes at a time without being told.
	flumeEvents = 100
	// flumeBytes bounds them; a longer line goes alone.
	flumeBytes = 1 << 20
)

// flumeSession delivers to a Flume Avro source until the connection breaks or something
// else is to be done, as session does. Flume's OK is all that is to be had: its channel
// has the events then, and they count as stored.
func (a *Agent) flumeSession(ctx context.Context, route *Route, greeted func()) (home string, err error) {
	collector := route.Present()
	c, err := a.connect(ctx, collector)
	if err != nil {
		return "", err
	}
	defer c.Close() //nolint:errcheck // it returns nil
	s := a.newSession(c, len(route.Preferred()) == 0)
	a.change(func(st *State) {
		*st = State{Collector: collector, Connected: true, Since: s.began, SentLines: st.SentLines, SentBatches: st.SentBatches}
	})
	a.cfg.Log.Info("Flume source connected", "collector", collector)
	greeted()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return s.deliver(running, &flume.Client{Client: c}) })
	group.Go(func() (err error) { home, err = a.lookHome(running, route); return err })
	group.Go(func() error {
		select {
		case <-c.Broken():
			return c.Err()
		case <-running.Done():
			return nil
		}
	})
	return home, group.Wait()
}

// deliver delivers what is in the window, and waits for more. One batch is on its way
// at a time, as with Flume's own sink: its source keeps no order among several.
func (s *session) deliver(ctx context.Context, c *flume.Client) error {
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
			// What of it was taken before the connection broke is not sent again.
			from := max(p.Start, s.cfg.Checkpoint.Stored(p.stream))
			if from >= p.End {
				break
			}
			end := e.of(p, from)
			if err := s.offer(ctx, c, e.events); err != nil {
				return fmt.Errorf("%s from byte %d: %w", p.stream.Path, from, err)
			}
			s.cfg.Checkpoint.Update(func() { p.stream.Stored = max(p.stream.Stored, end) })
			s.agent.noteStored()
			s.agent.change(func(st *State) { st.SentLines += int64(len(e.events)); st.SentBatches++ })
		}
		s.window.done(p)
	}
}

// offer delivers events, again and again while the source does not take them: its
// channel is full.
func (s *session) offer(ctx context.Context, c *flume.Client, events []flume.Event) error {
	backoff := retry.Backoff{First: firstPause, Max: maxPause}
	for {
		err := c.Append(ctx, events)
		var remote *avrorpc.RemoteError
		if err == nil {
			s.noteBusy("")
			return nil
		}
		if !errors.Is(err, flume.ErrFailed) && !errors.As(err, &remote) {
			return err
		}
		s.noteBusy(err.Error())
		if err := backoff.Wait(ctx); err != nil {
			return err
		}
	}
}

// events are lines with the headers that Flume's own sources and interceptors give
// them, and the log's labels.
type events struct {
	host   []byte
	now    func() time.Time
	stream *checkpoint.Stream
	common []flume.Header // of the stream
	events []flume.Event
}

func newEvents(host string, now func() time.Time) *events {
	return &events{host: []byte(host), now: now}
}

// of makes events of a parcel's lines from a position on, and returns where they end.
func (e *events) of(p *parcel, from int64) (end int64) {
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

// add makes an event of a line that stands at an offset of the log.
func (e *events) add(line []byte, offset int64, now []byte) {
	headers := append(e.common[:len(e.common):len(e.common)],
		flume.Header{Key: []byte(flume.HeaderTimestamp), Value: now},
		flume.Header{Key: []byte(flume.HeaderByteOffset), Value: strconv.AppendInt(nil, offset, 10)})
	e.events = append(e.events, flume.Event{Headers: headers, Body: line})
}

package collector

import (
	"context"
	"fmt"
	"os"

	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// storer is the one goroutine that writes to the table, and commits.
type storer struct {
	*Collector
	rows  schema.Rows // of the stream directory
	dirty bool        // rows were put since the last Flush
	scrap parcel      // for what is read from segments

	reading *spooled // the segment that file and reader are of
	file    vfs.File
	reader  *segment.Reader
}

// store puts rows, fresh ones first, and commits what is complete.
func (c *Collector) store(ctx context.Context) (err error) {
	s := &storer{Collector: c}
	defer s.closeFile()
	if !c.cfg.tableReady() {
		select {
		case <-c.cfg.TableReady:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for {
		select {
		case p := <-c.parcels:
			err = s.put(ctx, p)
		default:
			var idle bool
			if idle, err = s.rest(ctx); err != nil || !idle {
				break
			}
			select {
			case p := <-c.parcels:
				err = s.put(ctx, p)
			case <-c.wake:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err == nil {
			err = s.commit(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// put writes a parcel's rows.
func (s *storer) put(ctx context.Context, p *parcel) error {
	defer s.release(p)
	return s.write(ctx, p)
}

func (s *storer) write(ctx context.Context, p *parcel) error {
	if s.cfg.Table != nil {
		for _, x := range p.pieces {
			if err := s.declare(ctx, x.stream); err != nil {
				return err
			}
		}
		s.dirty = true
		if err := s.cfg.Table.Put(ctx, &p.rows); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range p.pieces {
		x.tabled = true
		if s.cfg.Table != nil && !x.earlier {
			s.Counters.Rows.Add(x.lines)
		}
		if x.in != nil {
			x.in.untabled--
		}
	}
	return nil
}

// declare puts a stream's own row: rows are read by their stream's format, so it
// goes first.
func (s *storer) declare(ctx context.Context, st *streamState) error {
	if st.declared {
		return nil
	}
	var entry schema.StreamEntry
	s.cfg.Checkpoint.Update(func() { entry = st.tracked.StreamEntry })
	if err := s.putEntries(ctx, []schema.StreamEntry{entry}); err != nil {
		return err
	}
	st.declared = true
	return nil
}

func (s *storer) putEntries(ctx context.Context, entries []schema.StreamEntry) error {
	if s.cfg.Table == nil {
		return nil
	}
	s.rows.Reset()
	for i := range entries {
		s.cfg.Table.Layout().AppendStream(&s.rows, &entries[i])
	}
	s.dirty = true
	return s.cfg.Table.Put(ctx, &s.rows)
}

// rest does one thing that is not urgent: idle when there was none.
func (s *storer) rest(ctx context.Context) (idle bool, err error) {
	s.mu.Lock()
	var p *piece
	if p = s.backlog.next(); p != nil && p.in != nil && p.in.broken && p.in.writer != nil { // it is mended first
		s.backlog.add(p)
		p = nil
	}
	flush := s.flush
	s.mu.Unlock()
	switch {
	case p != nil:
		return false, s.attempt(ctx, "spool", func() error { return s.again(ctx, p) })
	case flush:
		if err := s.giveUpHoles(ctx); err != nil {
			return true, err
		}
		if err := s.forget(ctx); err != nil { // what KeepLocal kept until now
			return true, err
		}
		return true, s.makeDurable(ctx)
	}
	return true, nil
}

// makeDurable does what a tick asked for.
func (s *storer) makeDurable(ctx context.Context) error {
	if err := s.flushTable(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush = false
	s.announce()
	return nil
}

// flushTable makes the rows that were put durable.
func (s *storer) flushTable(ctx context.Context) error {
	if !s.dirty {
		return nil
	}
	if err := s.cfg.Table.Flush(ctx); err != nil {
		return err
	}
	s.dirty = false
	return nil
}

// again reads a piece from its segment and writes its rows.
func (s *storer) again(ctx context.Context, x *piece) error {
	data, err := s.data(x)
	if err != nil || data == nil {
		return err
	}
	st := x.stream
	if _, _, err := s.prepare(st, &st.again); err != nil {
		return err
	}
	p := &s.scrap
	p.reset()
	p.lines, p.wantsRows = data, s.cfg.Table != nil
	p.pieces = append(p.pieces, x)
	began := s.cfg.Now()
	if err := p.read(ctx, &st.again, s.cfg.Naming, x.Start); err != nil {
		return err
	}
	took := s.cfg.Now().Sub(began)
	s.noteParsing(st.tracked, len(data), took)
	var lines, errors, first, last int64
	for _, c := range p.cuts {
		lines += c.lines - c.holes
		errors += c.errors
		if c.last != 0 {
			if first == 0 || c.first < first {
				first = c.first
			}
			last = max(last, c.last)
		}
	}
	s.mu.Lock()
	x.lines, x.errors, x.first, x.last = lines, errors, first, last
	s.backlog.spend(st.tracked.Host, took)
	s.mu.Unlock()
	return s.write(ctx, p)
}

// data is a piece's lines, nil when it was dropped.
func (s *storer) data(x *piece) ([]byte, error) {
	s.mu.Lock()
	sp := x.in
	s.mu.Unlock()
	if sp == nil {
		return nil, nil
	}
	if s.reading != sp {
		s.closeFile()
		sp.use.RLock() // it keeps its name until it is open
		s.mu.Lock()
		path := sp.path
		s.mu.Unlock()
		file, err := s.cfg.FS.OpenFile(path, os.O_RDONLY, 0)
		sp.use.RUnlock()
		if err != nil {
			return nil, err
		}
		s.reading, s.file, s.reader = sp, file, segment.NewReader(file, 1<<62)
	}
	s.reader.At(x.member)
	data, err := s.reader.Data()
	if err != nil {
		s.closeFile()
		s.mu.Lock()
		path := sp.path // it may have been renamed since it was opened
		s.mu.Unlock()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

func (s *storer) closeFile() {
	if s.file != nil {
		s.file.Close() // it was read only
	}
	s.reading, s.file, s.reader = nil, nil, nil
}

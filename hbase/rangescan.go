package hbase

import (
	"bytes"
	"context"
	"time"

	"sluice/hadoop/protobuf"
	"sluice/hbase/region"
	"sluice/hbase/rpc"
)

// scanOrder is the parameters that all ranges of a scan share.
type scanOrder struct {
	filter     []byte // a Filter, or nil
	reverse    bool
	family     string
	columns    []string // nil: all
	blockBytes int
	limit      int // rows of a range; 0: all
}

// rangeScan reads one range region by region. It keeps the last whole row that it passed on, and
// continues after it if a scanner is lost.
type rangeScan struct {
	table       *Table
	order       *scanOrder
	start, stop []byte
	out         chan *block

	// at is the position to continue at, or after if past is set. In a reverse scan it is the upper
	// end, which is never part of the rest.
	at    []byte
	past  bool
	rows  int    // passed on
	carry []byte // the cells so far of an incomplete row

	region  *region.Region
	scanner uint64
	opened  bool
	seq     uint64 // of the next call
}

// run passes on blocks, and a last one that marks the end.
func (r *rangeScan) run(ctx context.Context) error {
	defer close(r.out)
	r.at = r.start
	if r.order.reverse {
		r.at, r.past = r.stop, true
	}
	backoff := rpc.Backoff{Limit: r.table.cluster.Limit()}
	unknowns := 0
	what := "scan of " + r.table.url.Table
	defer r.table.retries.GiveUp(what, r)
	for {
		backoff.Begin()
		progress, done, err := r.step(ctx)
		if done || ctx.Err() != nil {
			return ctx.Err()
		}
		if progress && backoff.Attempts > 0 {
			r.table.retries.Recovered(what, r)
			backoff, unknowns = rpc.Backoff{Limit: backoff.Limit}, 0
		}
		if err == nil {
			continue
		}
		r.lose(ctx, err)
		switch region.Classify(err) {
		case rpc.GiveUp, rpc.RefuseRow:
			return err
		case rpc.Unknown:
			if unknowns++; unknowns > maxUnknowns {
				return err
			}
		}
		r.table.retries.Failed(what, r, err)
		if err := backoff.Wait(ctx, err); err != nil {
			return err
		}
		if backoff.Attempts%checkStateAt == 0 {
			if err := r.table.cluster.CheckEnabled(ctx, r.table.url.Table); region.Classify(err) == rpc.GiveUp {
				return err
			}
		}
	}
}

// lose drops the scanner, and its region if that has moved.
func (r *rangeScan) lose(ctx context.Context, err error) {
	if r.region != nil {
		var remote *rpc.RemoteError
		switch reaction := region.Classify(err); {
		case reaction == rpc.Locate && asRemote(err, &remote) && remote.Moved != nil:
			r.table.regions.Moved(r.region, *remote.Moved)
		case reaction == rpc.Locate:
			r.table.regions.Drop(r.region)
		case r.opened:
			r.close(ctx)
		}
	}
	r.region, r.opened, r.carry = nil, false, nil
}

// step makes one call and passes on its rows.
func (r *rangeScan) step(ctx context.Context) (progress, done bool, err error) {
	if r.region == nil {
		if r.region, err = r.locate(ctx); err != nil {
			return false, false, err
		}
	}
	response, err := r.call(ctx)
	if err != nil {
		return false, false, err
	}
	s, err := parseScan(response.Message)
	if err != nil {
		response.Release()
		return false, false, err
	}
	if !r.opened {
		r.scanner, r.opened, r.seq = s.scanner, true, 0
	} else {
		r.seq++
	}
	b, err := r.block(response, &s)
	if err != nil {
		response.Release()
		return false, false, err
	}
	regionDone := s.saysMoreInRegion && !s.moreInRegion
	if regionDone || !s.moreResults {
		r.opened = false // the server has closed it
		b = r.flushCarry(b)
		done = r.leave() || !s.moreResults
	}
	if !done && r.order.limit > 0 && r.rows >= r.order.limit {
		r.close(ctx)
		done = true
	}
	b.end = done
	select {
	case r.out <- b:
		return true, done, nil
	case <-ctx.Done():
		b.release()
		r.close(ctx)
		return false, true, nil
	}
}

// locate finds the region to continue in.
func (r *rangeScan) locate(ctx context.Context) (*region.Region, error) {
	t := r.table
	found, err := t.regions.Locate(ctx, r.at)
	if err != nil || !r.order.reverse || bytes.Compare(found.Start, r.at) < 0 {
		return found, err
	}
	// The rows before at are in the previous region.
	return t.regions.Locate(ctx, justBefore(r.at))
}

// justBefore returns a key before k with no row of sluice between them.
func justBefore(k []byte) []byte {
	if k[len(k)-1] == 0 {
		return k[:len(k)-1]
	}
	b := bytes.Clone(k)
	b[len(b)-1]--
	return append(b, bytes.Repeat([]byte{0xff}, 64)...)
}

// leave continues with the next region; true at the range's end.
func (r *rangeScan) leave() (done bool) {
	edge := r.region.End
	if r.order.reverse {
		edge = r.region.Start
	}
	r.region = nil
	switch {
	case len(edge) == 0:
		return true
	case r.order.reverse:
		r.at, r.past = edge, true
		return bytes.Compare(edge, r.start) <= 0
	}
	r.at, r.past = edge, false
	return len(r.stop) > 0 && bytes.Compare(edge, r.stop) >= 0
}

// block makes whole rows of a response.
func (r *rangeScan) block(response *rpc.Response, s *scanResponse) (*block, error) {
	b := &block{response: response, rows: make([][]byte, 0, len(s.counts)+1)}
	cells := response.Cells
	for i, count := range s.counts {
		var row []byte
		var err error
		if row, cells, err = cutRow(cells, count); err != nil {
			return nil, err
		}
		if count == 0 {
			continue
		}
		if row, err = r.join(b, row); err != nil {
			return nil, err
		}
		if i < len(s.partial) && s.partial[i] {
			r.carry = bytes.Clone(row)
			continue
		}
		b.rows = append(b.rows, row)
	}
	return b, r.note(b)
}

// join completes a row that began in an earlier result.
func (r *rangeScan) join(b *block, row []byte) ([]byte, error) {
	if r.carry == nil {
		return row, nil
	}
	carry := r.carry
	r.carry = nil
	key, err := rowKey(row)
	if err != nil {
		return nil, err
	}
	begun, err := rowKey(carry)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(key, begun) {
		return append(carry, row...), nil
	}
	b.rows = append(b.rows, carry)
	return row, nil
}

// note saves the last row, after which the next scanner would begin.
func (r *rangeScan) note(b *block) error {
	if len(b.rows) == 0 {
		return nil
	}
	key, err := rowKey(b.rows[len(b.rows)-1])
	if err != nil {
		return err
	}
	r.at, r.past = bytes.Clone(key), true
	r.rows += len(b.rows)
	return nil
}

// flushCarry adds the row at the region's end.
func (r *rangeScan) flushCarry(b *block) *block {
	if r.carry != nil {
		b.rows = append(b.rows, r.carry)
		r.rows++
		r.carry = nil
	}
	return b
}

// readPread: a scan that the server turns into a stream returns short responses.
const (
	readPread = 2
	allRows   = 1<<31 - 1
)

// call opens the scanner, which returns the first rows, or requests more.
func (r *rangeScan) call(ctx context.Context) (*rpc.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var param []byte
	if r.opened {
		param = protobuf.AppendUint(param, 3, r.scanner)
		param = protobuf.AppendUint(param, 6, r.seq)
	} else {
		param = protobuf.AppendBytes(param, 1, r.region.Specifier())
		param = protobuf.AppendBytes(param, 2, r.scan())
	}
	param = protobuf.AppendUint(param, 4, allRows)
	param = protobuf.AppendBool(param, 7, true)
	param = protobuf.AppendBool(param, 8, true)
	if r.order.limit > 0 {
		param = protobuf.AppendUint(param, 11, uint64(r.order.limit-r.rows))
	}
	return r.table.cluster.Call(ctx, r.region.Server, &rpc.Request{Method: "Scan", Param: param})
}

// scan encodes the Scan message.
func (r *rangeScan) scan() []byte {
	var column []byte
	column = protobuf.AppendBytes(column, 1, r.order.family)
	for _, q := range r.order.columns {
		column = protobuf.AppendBytes(column, 2, q)
	}
	s := protobuf.AppendBytes(nil, 1, column)
	s = protobuf.AppendBytes(s, 3, r.at)
	if r.order.reverse {
		s = protobuf.AppendBytes(s, 4, r.start)
	} else if len(r.stop) > 0 {
		s = protobuf.AppendBytes(s, 4, r.stop)
	}
	if r.order.filter != nil {
		s = protobuf.AppendBytes(s, 5, r.order.filter)
	}
	s = protobuf.AppendUint(s, 10, uint64(r.order.blockBytes))
	s = protobuf.AppendBool(s, 15, r.order.reverse)
	s = protobuf.AppendBool(s, 21, !r.past)
	s = protobuf.AppendBool(s, 22, r.order.reverse)
	return protobuf.AppendUint(s, 23, readPread)
}

// closeTimeout bounds closing the scanner of a cancelled scan; the scanner expires after a minute.
const closeTimeout = time.Second

func (r *rangeScan) close(ctx context.Context) {
	if !r.opened {
		return
	}
	r.opened = false
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	param := protobuf.AppendBool(protobuf.AppendUint(nil, 3, r.scanner), 5, true)
	if response, err := r.table.cluster.Call(ctx, r.region.Server, &rpc.Request{Method: "Scan", Param: param}); err == nil {
		response.Release()
	}
}

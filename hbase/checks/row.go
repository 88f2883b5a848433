package checks

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"sluice/hadoop/protobuf"
	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/hbase/wire"
)

// maxClockDifference is the difference that HBase's servers accept among themselves
// (hbase.master.maxclockskew). Clocks matter for rows without a time of their own, for a TTL, and
// for Kerberos (5 minutes).
const maxClockDifference = 30 * time.Second

// rows writes a row on each server that has the table, under a key that no line has.
func (e *examination) rows(ctx context.Context) {
	done := map[rpc.Server]bool{}
	for _, key := range e.layout.SpareKeys() {
		for _, a := range e.regions {
			if !a.Has(key) || done[a.Server] {
				continue
			}
			done[a.Server] = true
			p := &probe{examination: e, region: a.Region, key: key, qualifier: "doctor-" + rand.Text()}
			if e.step(ctx, stepRow+" on "+a.Server.Address(), p.run) {
				e.clock(p)
			}
		}
	}
}

// clock compares the server's timestamp of the row with the local time.
func (e *examination) clock(p *probe) {
	e.report.Timed("clock of "+p.region.Server.Address(), func() (string, time.Duration, error) {
		half := p.received.Sub(p.sent) / 2
		ahead := p.stamp.Sub(p.sent.Add(half))
		text := fmt.Sprintf("%v ahead of ours", ahead.Round(time.Millisecond))
		if ahead < 0 {
			text = fmt.Sprintf("%v behind ours", -ahead.Round(time.Millisecond))
		}
		text += fmt.Sprintf(", ± %v", half.Round(time.Millisecond)+time.Millisecond)
		if ahead.Abs()-half > maxClockDifference {
			return "", 0, fmt.Errorf("%s: set both by NTP", text)
		}
		return text, p.received.Sub(p.sent), nil
	})
}

// probe is a row with one cell, with a unique name.
type probe struct {
	*examination
	region    *region.Region
	key       []byte
	qualifier string

	sent, received, stamp time.Time
}

const probeValue = "sluice doctor"

// run writes, reads and deletes the row. A row that may have been written is deleted even after an
// error.
func (p *probe) run(ctx context.Context) (_ string, err error) {
	began := time.Now()
	defer func() {
		if e := p.delete(ctx); e != nil {
			err = errors.Join(err, fmt.Errorf("delete it: %w: the test cell may remain; in the HBase shell: deleteall '%s', \"%s\", '%s:%s'",
				e, p.URL.Table, shellKey(p.key), p.layout.Family, p.qualifier))
		}
	}()
	p.sent = time.Now()
	if err := p.mutate(ctx, mutationPut); err != nil {
		return "", fmt.Errorf("write: %w", err)
	}
	p.received = time.Now()
	written := time.Since(began)
	began = time.Now()
	cell, err := p.get(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("read: %w", err)
	case cell == nil:
		return "", errors.New("the row that was written was not found")
	case string(cell.Value) != probeValue:
		return "", fmt.Errorf("it holds %.40q, not what was written", cell.Value)
	}
	p.stamp = time.UnixMilli(int64(cell.Timestamp))
	return fmt.Sprintf("written in %v, read in %v, deleted", round(written), round(time.Since(began))), nil
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// delete deletes the row, and checks that it is gone. It continues after the end of ctx.
func (p *probe) delete(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Options.Timeout)
	defer cancel()
	if err := p.mutate(ctx, mutationDelete); err != nil {
		return err
	}
	cell, err := p.get(ctx)
	if err == nil && cell != nil {
		err = errors.New("the row is still found")
	}
	return err
}

// The types of MutationProto, and of deletes.
const (
	mutationPut            = 2
	mutationDelete         = 3
	deleteMultipleVersions = 1
)

// mutate sends a MutateRequest {1 region, 2 MutationProto {1 row, 2 type, 3
// ColumnValue {1 family, 2 QualifierValue {1 qualifier, 2 value, 4 delete type}}}};
// without a timestamp the server sets its own.
func (p *probe) mutate(ctx context.Context, kind uint64) error {
	value := protobuf.AppendBytes(nil, 1, p.qualifier)
	if kind == mutationPut {
		value = protobuf.AppendBytes(value, 2, probeValue)
	} else {
		value = protobuf.AppendUint(value, 4, deleteMultipleVersions)
	}
	column := protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, p.layout.Family), 2, value)
	mutation := protobuf.AppendBytes(nil, 1, p.key)
	mutation = protobuf.AppendUint(mutation, 2, kind)
	mutation = protobuf.AppendBytes(mutation, 3, column)
	param := protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, p.region.Specifier()), 2, mutation)
	response, err := p.cluster.Call(ctx, p.region.Server, &rpc.Request{Method: "Mutate", Param: param})
	if err == nil {
		response.Release()
	}
	return err
}

// get reads the cell: nil where there is none. The answer's cells are in the
// message, GetResponse {1 Result {1 Cell {3 qualifier, 4 timestamp, 6 value}}}, for a
// client that does not say its version, as ours; else after it.
func (p *probe) get(ctx context.Context) (*wire.Cell, error) {
	column := protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, p.layout.Family), 2, p.qualifier)
	get := protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, p.key), 2, column)
	param := protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, p.region.Specifier()), 2, get)
	response, err := p.cluster.Call(ctx, p.region.Server, &rpc.Request{Method: "Get", Param: param})
	if err != nil {
		return nil, err
	}
	result := protobuf.Read(firstField(response.Message)) // kept: it is not released
	for result.Next() {
		if result.Number != 1 {
			continue
		}
		var cell wire.Cell
		f := protobuf.Read(result.Bytes)
		for f.Next() {
			switch f.Number {
			case 3:
				cell.Qualifier = f.Bytes
			case 4:
				cell.Timestamp = f.Uint
			case 6:
				cell.Value = f.Bytes
			}
		}
		if f.Err != nil {
			return nil, f.Err
		}
		if string(cell.Qualifier) == p.qualifier {
			return &cell, nil
		}
	}
	for block := response.Cells; len(block) > 0 && result.Err == nil; {
		var cell wire.Cell
		if cell, block, err = wire.CutCell(block); err != nil {
			return nil, err
		}
		if string(cell.Qualifier) == p.qualifier {
			return &cell, nil
		}
	}
	return nil, result.Err
}

// shellKey is a key as the HBase shell takes it between double quotes.
func shellKey(key []byte) string {
	var text []byte
	for _, b := range key {
		text = fmt.Appendf(text, `\x%02X`, b)
	}
	return string(text)
}

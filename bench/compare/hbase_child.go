package compare

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"sluice/hbase"
	"sluice/hbase/bulkload"
	"sluice/schema"
)

// hbaseReply is a reply of a client of MeasureHBase. The clients of sluice (HBaseChild) and Java
// (peers/hbase) get the same requests: words separated by tabs.
type hbaseReply struct {
	PID int `json:"pid,omitempty"` // only in the first reply, which has no request
	// Rows, Cells and Bytes (of values) are what was written or read.
	Rows  int64 `json:"rows"`
	Cells int64 `json:"cells"`
	Bytes int64 `json:"bytes"`
	// Encode is the CPU time of reading the log, parsing it and making rows.
	Encode time.Duration `json:"encode,omitempty"`
	// Allocs is the number of allocations; only for sluice.
	Allocs int64  `json:"allocs,omitempty"`
	Err    string `json:"err,omitempty"`
}

// HBaseChild is the process of sluice's client. It reads requests from in:
//
//	rows LOG FORMAT FILE   set the log whose rows are written, and the file of the same rows for Java
//	write URL              write the rows of the log to a table
//	replay URL             write the rows of the file
//	bulk URL               load the rows of the log as files
//	scan URL               read every cell of a table in time order
//	profile FILE           write a CPU profile of the following requests
//
// It ends at the end of in.
func HBaseChild(ctx context.Context, in io.Reader, out io.Writer) error {
	replies := json.NewEncoder(out)
	if err := replies.Encode(hbaseReply{PID: os.Getpid()}); err != nil {
		return err
	}
	var child hbaseChild
	defer pprof.StopCPUProfile()
	requests := bufio.NewScanner(in)
	for requests.Scan() {
		reply, err := child.act(ctx, strings.Split(requests.Text(), "\t"))
		if err != nil {
			reply.Err = err.Error()
		}
		if err := replies.Encode(reply); err != nil {
			return err
		}
	}
	return requests.Err()
}

type hbaseChild struct{ log, format, rowFile string }

func (c *hbaseChild) act(ctx context.Context, words []string) (hbaseReply, error) {
	switch {
	case words[0] == "rows" && len(words) == 4:
		c.log, c.format, c.rowFile = words[1], words[2], words[3]
		return hbaseReply{}, nil
	case words[0] == "profile" && len(words) == 2:
		f, err := os.Create(words[1]) // closed by the end of the process
		if err != nil {
			return hbaseReply{}, err
		}
		return hbaseReply{}, pprof.StartCPUProfile(f)
	case words[0] == "write" && len(words) == 2:
		return c.onTable(ctx, words[1], func(ctx context.Context, t *hbase.Table) (hbaseReply, error) {
			source, err := openRows(c.log, c.format, t.Layout())
			if err != nil {
				return hbaseReply{}, err
			}
			return write(ctx, t, source)
		})
	case words[0] == "replay" && len(words) == 2:
		return c.onTable(ctx, words[1], func(ctx context.Context, t *hbase.Table) (hbaseReply, error) {
			source, err := openReplay(c.rowFile)
			if err != nil {
				return hbaseReply{}, err
			}
			return write(ctx, t, source)
		})
	case words[0] == "bulk" && len(words) == 2:
		return c.onTable(ctx, words[1], c.bulk)
	case words[0] == "scan" && len(words) == 2:
		return c.onTable(ctx, words[1], c.scan)
	}
	return hbaseReply{}, fmt.Errorf("no request: %q", words)
}

func (c *hbaseChild) onTable(ctx context.Context, url string, do func(context.Context, *hbase.Table) (hbaseReply, error)) (r hbaseReply, err error) {
	u, err := hbase.ParseURL(url)
	if err != nil {
		return r, err
	}
	table, err := hbase.Open(ctx, u, hbase.Options{Wait: clusterWait})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err = do(ctx, table)
	runtime.ReadMemStats(&after)
	r.Allocs = int64(after.Mallocs - before.Mallocs)
	return r, err
}

// write writes the rows of source to table, and closes source.
func write(ctx context.Context, table bulkload.Table, source rowMaker) (r hbaseReply, err error) {
	defer func() { err = errors.Join(err, source.close()) }()
	// Rows are made concurrently with Put, as in a collector. The channel has no buffer: when a
	// batch is received, the one before the last is no longer used.
	batches := make(chan *schema.Rows)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(batches)
		for {
			more, used, err := timedNext(source)
			r.Encode += used
			if err != nil || !more {
				return err
			}
			select {
			case batches <- source.made():
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	group.Go(func() error {
		for rows := range batches {
			for i := range rows.Len() {
				cells := rows.Cells(i)
				r.Cells += int64(len(cells))
				for j := range cells {
					r.Bytes += int64(len(cells[j].Value))
				}
			}
			r.Rows += int64(rows.Len())
			if err := table.Put(ctx, rows); err != nil {
				return err
			}
		}
		return table.Flush(ctx)
	})
	err = group.Wait()
	return r, err
}

// timedNext calls source.next and returns the CPU time of the thread.
func timedNext(source rowMaker) (more bool, used time.Duration, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &before); err != nil {
		return false, 0, err
	}
	more, err = source.next()
	err = errors.Join(err, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &after))
	return more, time.Duration(after.Nano() - before.Nano()), err
}

func (c *hbaseChild) scan(ctx context.Context, table *hbase.Table) (r hbaseReply, err error) {
	for row, err := range table.Scan(ctx, schema.Scan{}) {
		if err != nil {
			return r, err
		}
		r.Rows++
		r.Cells += int64(len(row.Cells))
		for i := range row.Cells {
			r.Bytes += int64(len(row.Cells[i].Value))
		}
	}
	return r, nil
}

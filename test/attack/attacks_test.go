package attack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"sluice/ingest/protocol"
	"sluice/schema"
)

// attack is one kind of attack.
type attack struct {
	row  int // row of the table in docs/benchmarks.md
	name string
	// plain is an attack on a collector without TLS.
	plain bool
	// openFiles is the collector's limit of open files; 0: the machine's.
	openFiles int
	// named means that /health must name the attacker: its host or, if its connections never
	// authenticate, their addresses.
	named bool
	// inTime means that /health can name the attacker only after the honest host has sent for some
	// time.
	inTime bool
	// measured is an attack that only runs with -lines.
	measured bool
	// does attacks until ctx ends.
	does func(ctx context.Context, x *target)
}

const (
	evil = "evil"
	// evilNetwork is the prefix of the attackers' addresses.
	evilNetwork = "127.0.9."
)

// attacks returns the attacks that can be made from outside.
func attacks() []attack {
	return []attack{
		{row: 1, name: "a stream that begins at 1 MiB", named: true, does: hole},
		{row: 2, name: "a pattern that backtracks", named: true, does: pattern(`pattern:^(?P<client>(a+)+)(?=y)$`)},
		{row: 2, name: "a pattern as slow as may be", named: true, does: pattern(`pattern:^(?P<client>(a?){110}(a?){110}b)$`)},
		{row: 3, name: "streams with 60 KB of labels", named: true, does: labels},
		{row: 4, name: "400,000 streams", named: true, does: streams},
		{row: 4, name: "heartbeats full of counters and positions", does: heartbeats},
		{row: 5, name: "the honest host's name and stream", plain: true, named: true, inTime: true, does: claim("web01")},
		{row: 6, name: "a line a day for 10,000 days", named: true, does: days},
		{row: 7, name: "many spellings of one name", named: true, does: spellings},
		{row: 8, name: "the honest host's stream id", named: true, does: claim(evil)},
		{row: 9, name: "1,100 half-open connections", openFiles: 1024, named: true, does: halfOpen(func(x *target) string { return x.address })},
		{row: 9, name: "TLS handshakes that are never finished", openFiles: 1024, named: true, measured: true, does: handshakes},
		{row: 9, name: "connections that come again at once", named: true, measured: true, does: again},
		{row: 4, name: "pings on 64 connections", measured: true, does: pings},
		{row: 4, name: "compressed bytes that say nothing", measured: true, does: emptyBlocks},
		{row: 10, name: "2,000 connections to the status port", openFiles: 1024, named: true, does: halfOpen(func(x *target) string { return x.status })},
	}
}

// each runs does on a number of connections at the same time, again from the start after each end.
func each(ctx context.Context, x *target, connections int, does func(ctx context.Context, s *sender, n int) error) {
	var all sync.WaitGroup
	for n := range connections {
		all.Go(func() {
			for ctx.Err() == nil {
				s, err := x.dial(ctx, evilNetwork+"1")
				if err == nil {
					err = does(ctx, s, n)
					s.close()
				}
				if err != nil && !wait(ctx, 50*time.Millisecond) {
					return
				}
			}
		})
	}
	all.Wait()
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func stream(id schema.StreamID, format string) protocol.Stream {
	return protocol.Stream{ID: id, Path: fmt.Sprintf("/evil/%d.log", id), Format: format}
}

// hole sends batches that begin after a gap.
func hole(ctx context.Context, x *target) {
	data := strings.Repeat("x\n", 1<<19)
	each(ctx, x, 4, func(ctx context.Context, s *sender, n int) error {
		id := schema.StreamID(100 + n)
		if err := s.hello(ctx, evil, stream(id, "common")); err != nil {
			return err
		}
		for ctx.Err() == nil {
			if _, err := s.append(ctx, id, 1<<20, data); err != nil {
				return err
			}
		}
		return nil
	})
}

// pattern declares a regular expression as format, and sends lines on which it is slow.
func pattern(format string) func(context.Context, *target) {
	return func(ctx context.Context, x *target) {
		data := strings.Repeat(strings.Repeat("a", 1000)+"!\n", 1024)
		each(ctx, x, 8, func(ctx context.Context, s *sender, n int) error {
			id := schema.StreamID(time.Now().UnixNano()) + schema.StreamID(n) // a new stream each time
			if err := s.hello(ctx, evil, stream(id, format)); err != nil {
				return err
			}
			for at := int64(0); ctx.Err() == nil; {
				r, err := s.append(ctx, id, at, data)
				if err != nil {
					return err
				}
				if r.Status != protocol.OK {
					return errors.New(r.Reason)
				}
				at += int64(len(data))
			}
			return nil
		})
	}
}

// labels declares streams with the maximum length of labels.
func labels(ctx context.Context, x *target) {
	big := map[string]string{}
	for i := range 8 {
		big[fmt.Sprint("label", i)] = strings.Repeat("x", 7500)
	}
	id := schema.StreamID(0)
	each(ctx, x, 1, func(ctx context.Context, s *sender, _ int) error {
		for range 640 {
			list := make([]protocol.Stream, 64)
			for i := range list {
				id++
				list[i] = stream(id, "common")
				list[i].Labels = map[string]string{"a": strings.Repeat("y", 3900)} // fewer than allowed
				if i%2 == 0 {
					list[i].Labels = big
				}
			}
			if err := s.hello(ctx, evil, list...); err != nil {
				return err
			}
		}
		return nil
	})
}

// streams declares as many streams as possible on one connection.
func streams(ctx context.Context, x *target) {
	id := schema.StreamID(0)
	each(ctx, x, 1, func(ctx context.Context, s *sender, _ int) error {
		for ctx.Err() == nil {
			list := make([]protocol.Stream, 10_000)
			for i := range list {
				id++
				list[i] = stream(id, "common")
			}
			if err := s.hello(ctx, evil, list...); err != nil {
				return err
			}
		}
		return nil
	})
}

// heartbeats sends heartbeats with invented counters with long names, and as many positions as fit.
func heartbeats(ctx context.Context, x *target) {
	h := &protocol.Heartbeat{Counters: map[string]int64{}}
	for i := range protocol.MaxCounters {
		h.Counters[fmt.Sprintf("%064d", i)] = 1
	}
	for i := range protocol.MaxStreams {
		h.Streams = append(h.Streams, protocol.Progress{Stream: schema.StreamID(i)})
	}
	for range protocol.MaxProblems {
		h.Problems = append(h.Problems, strings.Repeat("\x1b", 8000))
	}
	each(ctx, x, 4, func(ctx context.Context, s *sender, _ int) error {
		if err := s.hello(ctx, evil); err != nil {
			return err
		}
		for ctx.Err() == nil {
			if err := s.beat(ctx, h); err != nil {
				return err
			}
		}
		return nil
	})
}

// claim reports that the honest host's stream is stored far beyond its end, and sends lines into
// it.
func claim(host string) func(context.Context, *target) {
	return func(ctx context.Context, x *target) {
		id, seed, err := honestStream(x.honestLog)
		if err != nil {
			return
		}
		said := stream(id, "combined")
		said.Path, said.Seed, said.Stored = x.honestLog, seed[:], 1<<46
		each(ctx, x, 2, func(ctx context.Context, s *sender, _ int) error {
			if err := s.hello(ctx, host, said); err != nil {
				return err
			}
			if _, err := s.append(ctx, id, 1<<46, strings.Repeat("forged\n", 10)); err != nil {
				return err
			}
			wait(ctx, 10*time.Millisecond)
			return nil
		})
	}
}

// honestStream returns the id of the honest log, which an attacker can calculate by guessing
// device, inode and first line.
func honestStream(path string) (schema.StreamID, schema.StreamSeed, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, schema.StreamSeed{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, schema.StreamSeed{}, err
	}
	first, _, _ := strings.Cut(string(text[:min(len(text), 64<<10)]), "\n")
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, schema.StreamSeed{}, errors.New("no inode")
	}
	seed := schema.NewStreamSeed(stat.Dev, stat.Ino, []byte(first+"\n"))
	return seed.ID("web01"), seed, nil
}

// days sends lines of different days.
func days(ctx context.Context, x *target) {
	var b strings.Builder
	for i := range 10_000 {
		at := time.Date(1990, 1, 1+i, 12, 0, 0, 0, time.UTC)
		fmt.Fprintf(&b, "192.0.2.1 - - [%s] \"GET / HTTP/1.1\" 200 5\n", at.Format("02/Jan/2006:15:04:05 -0700"))
	}
	data := b.String()
	each(ctx, x, 2, func(ctx context.Context, s *sender, n int) error {
		id := schema.StreamID(n + 1)
		if err := s.hello(ctx, evil, stream(id, "common")); err != nil {
			return err
		}
		for ctx.Err() == nil {
			r, err := s.append(ctx, id, 0, data)
			if err != nil {
				return err
			}
			if r.Status == protocol.Busy && !wait(ctx, 100*time.Millisecond) {
				return nil
			}
		}
		return nil
	})
}

// spellings sends the name in the certificate in thousands of spellings.
func spellings(ctx context.Context, x *target) {
	each(ctx, x, 4, func(ctx context.Context, s *sender, n int) error {
		name := []byte(evil)
		for i := range name {
			if time.Now().UnixNano()>>(i+n)&1 == 1 {
				name[i] -= 'a' - 'A'
			}
		}
		return s.hello(ctx, string(name)+"."[:n%2], stream(1, "common"))
	})
}

// halfOpen keeps idle connections open from 19 addresses, and reopens those that are closed.
func halfOpen(port func(*target) string) func(context.Context, *target) {
	return func(ctx context.Context, x *target) {
		const addresses, perAddress = 19, 58
		var all sync.WaitGroup
		for i := range addresses * perAddress {
			from := fmt.Sprint(evilNetwork, 1+i%addresses)
			all.Go(func() {
				for wait(ctx, 20*time.Millisecond) {
					conn, err := x.connect(ctx, port(x), from)
					if err != nil {
						continue
					}
					stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // nothing was written
					conn.Read(make([]byte, 1))                              //nolint:errcheck // until it is closed
					stop()
					conn.Close() //nolint:errcheck // nothing was written
				}
			})
		}
		all.Wait()
	}
}

// handshakes starts as many TLS handshakes as it can from 19 addresses, and closes each when the
// server has sent its certificate, which is the most expensive step for the server.
func handshakes(ctx context.Context, x *target) {
	const addresses, perAddress = 19, 8
	hello := clientHello(ctx)
	var all sync.WaitGroup
	for i := range addresses * perAddress {
		all.Go(func() {
			for wait(ctx, time.Millisecond) {
				conn, err := x.connect(ctx, x.address, fmt.Sprint(evilNetwork, 1+i%addresses))
				if err != nil {
					continue
				}
				stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // it is closed below too
				conn.Write(hello)                                       //nolint:errcheck // then the read fails
				conn.Read(make([]byte, 1))                              //nolint:errcheck // until it answers, or closes
				stop()
				conn.Close() // nolint:errcheck // the attacker ignores errors
			}
		})
	}
	all.Wait()
}

// clientHello returns the first message of a TLS client.
func clientHello(ctx context.Context) []byte {
	client, server := net.Pipe()
	defer client.Close()                                                               //nolint:errcheck // a pipe
	defer server.Close()                                                               //nolint:errcheck // a pipe
	go tls.Client(client, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) // nolint:errcheck,gosec // there is no server
	hello := make([]byte, 16<<10)
	n, _ := server.Read(hello) //nolint:errcheck // then it is empty
	return hello[:n]
}

// again sends a hello and disconnects, on as many connections as an address may have.
func again(ctx context.Context, x *target) {
	var all sync.WaitGroup
	for n := range 64 {
		all.Go(func() {
			for wait(ctx, time.Millisecond) {
				s, err := x.dial(ctx, evilNetwork+"1")
				if err != nil {
					continue
				}
				s.hello(ctx, evil, stream(schema.StreamID(n), "common")) // nolint:errcheck // the attacker ignores errors
				s.close()
			}
		})
	}
	all.Wait()
}

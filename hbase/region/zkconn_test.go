package region

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFramesAreParsedInAnyParts: a length beyond ZooKeeper's maximum is an error before memory is
// allocated, however the bytes are split.
func TestFramesAreParsedInAnyParts(t *testing.T) {
	frame := func(n int) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(n)), make([]byte, n)...)
	}
	sound := slices.Concat(frame(0), frame(1), frame(4), frame(300), frame(0), frame(17))
	for pieces := 1; pieces < len(sound); pieces++ {
		c := zkConn{note: func(error) {}}
		for part := range slices.Chunk(sound, pieces) {
			if err := c.check(part); err != nil {
				t.Fatalf("pieces of %d: %v", pieces, err)
			}
		}
		if c.left != 0 || c.have != 0 || !c.heard {
			t.Errorf("pieces of %d: %d bytes of a frame, %d of a length are left", pieces, c.left, c.have)
		}
	}
	for _, foreign := range []string{"HTTP/1.1 400", "SSH-2.0-", "\x15\x03\x01\x00\x02\x02\x16", "\xff\xff\xff\xff"} {
		for _, before := range [][]byte{nil, sound} {
			c := zkConn{note: func(error) {}}
			err := c.check(append(slices.Clone(before), foreign...))
			if err == nil || !strings.Contains(err.Error(), "not ZooKeeper's") {
				t.Errorf("%q after %d bytes: %v", foreign, len(before), err)
			}
		}
	}
}

// TestServersAreTriedInTurn: each once before a pause, and after a connection from the next one on.
func TestServersAreTriedInTurn(t *testing.T) {
	for _, names := range [][]string{{"a:1"}, {"a:1", "b:1"}, {"a:1", "b:1", "c:1", "d:1", "e:1"}} {
		var s zkServers
		if err := s.Init(names); err != nil || s.Len() != len(names) {
			t.Fatalf("%v, %d servers", err, s.Len())
		}
		for round := range 3 {
			var seen []string
			for i := range names {
				server, pause := s.Next()
				if pause != (round > 0 && i == 0) {
					t.Errorf("%d servers, round %d, server %d: pause %v", len(names), round, i, pause)
				}
				seen = append(seen, server)
			}
			if slices.Sort(seen); !slices.Equal(seen, names) {
				t.Errorf("round %d: %q, want %q", round, seen, names)
			}
		}
		s.Connected()
		if _, pause := s.Next(); pause {
			t.Error("a pause right after a connection")
		}
	}
}

// TestEveryServerIsReportedWithItsAnswer: refused, without an answer, not a ZooKeeper, closing, and a
// name that cannot be resolved, after which the others are tried.
func TestEveryServerIsReportedWithItsAnswer(t *testing.T) {
	listen := func(serve func(net.Conn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				serve(c)
			}
		}()
		t.Cleanup(func() { _ = l.Close(); <-done })
		return l.Addr().String()
	}
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	silent := listen(func(net.Conn) {})
	foreign := listen(func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) })
	servers := []string{dead.Addr().String(), silent, foreign, "nosuch.invalid:2181"}
	z := NewZooKeeper(servers, "/hbase", 300*time.Millisecond, slog.New(slog.DiscardHandler))
	deadline := time.Now().Add(5 * time.Minute)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := z.Master(ctx)
		cancel()
		if err == nil || !errors.Is(err, errNoServer) && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v", err)
		}
		missing := ""
		for _, want := range []string{servers[0] + ": dial tcp", "connection refused", silent + ": it accepted the connection and does not answer", foreign + `: its answer is not ZooKeeper's: it begins "HTTP"`, "nosuch.invalid:2181: "} {
			if !strings.Contains(err.Error(), want) {
				missing = want
			}
		}
		if missing == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it lacks %q: %v", missing, err)
		}
	}
	if err := z.Close(); err != nil {
		t.Error(err)
	}
}

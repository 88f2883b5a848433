package rpc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"sluice/hadoop/protobuf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A server that requires TLS sends nothing to a client without it. This is distinguished from a server
// that ended, which had sent something.
func TestAServerThatSentNothingIsErrNoAnswer(t *testing.T) {
	for _, words := range []bool{false, true} {
		ours, theirs := net.Pipe()
		dialed := make(chan struct{}) // if a pipe is closed when its last byte is read, the write may fail
		c, err := Dial(t.Context(), Server{Host: "a", Port: 1}, ClientService, Options{
			Handshake: func(_ context.Context, conn net.Conn, _ Server) (net.Conn, error) { return conn, nil },
			Dial: func(context.Context, string) (net.Conn, error) {
				go func() {
					defer theirs.Close()
					if _, err := frameOf(theirs); err != nil { // the connection header
						return
					}
					<-dialed
					if words {
						_, _ = theirs.Write([]byte{0})
					}
				}()
				return ours, nil
			},
		})
		close(dialed)
		if err != nil {
			t.Fatal(err)
		}
		<-c.broken
		_, err = c.Call(t.Context(), &Request{Method: "Get"})
		if errors.Is(err, ErrNoAnswer) == words || !errors.Is(err, ErrLost) {
			t.Errorf("it has already sent something: %v; %v", words, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// received is a request as a server sees it.
type received struct {
	id     uint64
	method string
	cells  []byte
}

// fake is a server at the other end of a pipe, whose answers the test decides.
type fake struct {
	conn     net.Conn
	requests chan received
}

func serve(conn net.Conn) *fake {
	f := &fake{conn, make(chan received, 100)}
	go f.run()
	return f
}

func (f *fake) run() {
	defer close(f.requests)
	r := bufio.NewReader(f.conn)
	if _, err := r.Discard(6); err != nil {
		return
	}
	if _, err := frameOf(r); err != nil { // the connection header
		return
	}
	for {
		b, err := frameOf(r)
		if err != nil {
			return
		}
		header, rest, err1 := protobuf.CutDelimited(b)
		_, cells, err2 := protobuf.CutDelimited(rest)
		if err := errors.Join(err1, err2); err != nil {
			return
		}
		got := received{cells: cells}
		for h := protobuf.Read(header); h.Next(); {
			switch h.Number {
			case 1:
				got.id = h.Uint
			case 3:
				got.method = string(h.Bytes)
			}
		}
		f.requests <- got
	}
}

func frameOf(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

func (f *fake) answer(id uint64, message string, cells []byte) {
	header := protobuf.AppendUint(nil, 1, id)
	if cells != nil {
		header = protobuf.AppendBytes(header, 3, protobuf.AppendUint(nil, 1, uint64(len(cells))))
	}
	body := append(protobuf.AppendDelimited(protobuf.AppendDelimited(nil, header), []byte(message)), cells...)
	f.send(append(appendLength(nil, len(body)), body...))
}

func (f *fake) refuse(id uint64, class string) {
	header := protobuf.AppendBytes(protobuf.AppendUint(nil, 1, id), 2, protobuf.AppendBytes(nil, 1, class))
	body := protobuf.AppendDelimited(nil, header)
	f.send(append(appendLength(nil, len(body)), body...))
}

func (f *fake) send(b []byte) { _, _ = f.conn.Write(b) }

// in runs a test in a bubble with a connection to a fake server.
func in(t *testing.T, test func(t *testing.T, c *Conn, f *fake)) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		f := serve(theirs)
		c, err := Dial(t.Context(), Server{Host: "rs", Port: 1}, ClientService, Options{
			Timeout: 4 * time.Second, Dial: func(context.Context, string) (net.Conn, error) { return ours, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		test(t, c, f)
		if err := errors.Join(c.Close(), theirs.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestAnswersMayComeInAnyOrder(t *testing.T) {
	in(t, func(t *testing.T, c *Conn, f *fake) {
		results := make(chan error, 10)
		for i := range 10 {
			go func() {
				want := fmt.Sprint("m", i)
				r, err := c.Call(t.Context(), &Request{Method: want, Cells: [][]byte{[]byte("ce"), []byte("lls")}})
				if err == nil && (string(r.Message) != want || string(r.Cells) != "cells") {
					err = fmt.Errorf("%s got %q, %q", want, r.Message, r.Cells)
				}
				results <- err
			}()
		}
		var all []received
		for range 10 {
			all = append(all, <-f.requests)
		}
		for i := range all {
			r := all[len(all)-1-i]
			f.answer(r.id, r.method, r.cells)
		}
		for range 10 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAnExceptionIsAnError(t *testing.T) {
	in(t, func(t *testing.T, c *Conn, f *fake) {
		go func() { f.refuse((<-f.requests).id, "a.B") }()
		_, err := c.Call(t.Context(), &Request{Method: "Get"})
		var remote *RemoteError
		if !errors.As(err, &remote) || remote.Class != "a.B" {
			t.Errorf("%v", err)
		}
	})
}

// A stopped process sends nothing, and its kernel continues to receive bytes.
func TestACallToASilentServerEndsAtTheTimeout(t *testing.T) {
	in(t, func(t *testing.T, c *Conn, f *fake) {
		began := time.Now()
		_, err := c.Call(t.Context(), &Request{Method: "Multi"})
		if !errors.Is(err, ErrSilent) || !errors.Is(err, ErrLost) {
			t.Errorf("%v, want ErrSilent", err)
		}
		if took := time.Since(began); took < 4*time.Second || took > 5*time.Second { // the bubble's time, exact
			t.Errorf("noticed after %s, want the timeout", took)
		}
		if a, b := <-f.requests, <-f.requests; a.method != "Multi" || b.method != probeMethod {
			t.Errorf("the server got requests %s, %s", a.method, b.method)
		}
		if _, err := c.Call(t.Context(), &Request{Method: "Get"}); !errors.Is(err, ErrLost) {
			t.Errorf("a call afterwards: %v", err)
		}
	})
}

// If a caller's own context ends, the probe continues.
func TestASilentServerIsDetectedThoughCallersCancel(t *testing.T) {
	in(t, func(t *testing.T, c *Conn, f *fake) {
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			_, err := c.Call(ctx, &Request{Method: "Get"})
			cancel()
			if err == nil {
				t.Error("got an answer from a stopped server")
			}
		}
		select {
		case <-c.broken:
		default:
			t.Error("the connection is still considered usable")
		}
	})
}

func TestABusyServerThatAnswersProbesIsWaitedFor(t *testing.T) {
	in(t, func(t *testing.T, c *Conn, f *fake) {
		go func() {
			slow := <-f.requests
			go func() {
				for r := range f.requests {
					f.refuse(r.id, "java.lang.UnsupportedOperationException")
				}
			}()
			<-time.After(50 * time.Second)
			f.answer(slow.id, "at last", nil)
		}()
		r, err := c.Call(t.Context(), &Request{Method: "Multi"})
		if err != nil || string(r.Message) != "at last" {
			t.Errorf("%v", err)
		}
	})
}

func TestACallEndsWithItsContext(t *testing.T) {
	in(t, func(t *testing.T, c *Conn, f *fake) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-f.requests; cancel() }()
		if _, err := c.Call(ctx, &Request{Method: "Get"}); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		f.answer(1, "late", nil)
		go func() { r := <-f.requests; f.answer(r.id, "next", nil) }()
		if r, err := c.Call(t.Context(), &Request{Method: "Get"}); err != nil || string(r.Message) != "next" {
			t.Errorf("the call after a late answer: %v", err)
		}
	})
}

func TestABrokenConnectionEndsEveryCall(t *testing.T) {
	for name, breaks := range map[string]func(*fake){
		"closed":               func(f *fake) { _ = f.conn.Close() },
		"an endless frame":     func(f *fake) { f.send([]byte{0xff, 0xff, 0xff, 0xff}) },
		"a frame of nonsense":  func(f *fake) { f.send([]byte{0, 0, 0, 2, 9, 9}) },
		"about the connection": func(f *fake) { f.refuse(noCall, "org.apache.hadoop.security.AccessControlException") },
		"cells past the frame": func(f *fake) {
			f.send([]byte{0, 0, 0, 9, 7, 8, 1, 0x1a, 3, 8, 0xff, 1, 0})
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, c *Conn, f *fake) {
				errs := make(chan error, 2)
				for range 2 {
					go func() {
						_, err := c.Call(t.Context(), &Request{Method: "Get"})
						errs <- err
					}()
				}
				<-f.requests
				<-f.requests
				breaks(f)
				for range 2 {
					if err := <-errs; err == nil {
						t.Error("no error")
					}
				}
			})
		})
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte{0, 0, 0, 4, 2, 8, 1, 0})
	f.Add([]byte{0, 0, 0, 9, 7, 8, 1, 0x1a, 3, 8, 0xff, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &Conn{calls: map[uint32]*call{1: {answer: make(chan answer, 1)}}}
		r := bytes.NewReader(b)
		for {
			frame, err := readFrame(r, new(sync.Pool))
			if err != nil || c.dispatch(frame) != nil {
				return
			}
		}
	})
}

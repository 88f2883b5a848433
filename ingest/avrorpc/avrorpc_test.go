package avrorpc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const echoText = `{"protocol":"Echo","namespace":"test","types":[],"messages":{"append":{"request":[{"name":"b","type":"bytes"}],"response":"bytes"}}}`

func echoProtocol(t testing.TB) *Protocol {
	t.Helper()
	p, err := NewProtocol(echoText)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// echo answers with the parameters.
type echo struct{ begin func(*Call) (Finisher, error) }

func (e echo) Begin(_ context.Context, c *Call) (Finisher, error) {
	if e.begin != nil {
		return e.begin(c)
	}
	return echoed(bytes.Clone(c.Params)), nil
}
func (echo) Close() {}

type echoed []byte

func (e echoed) Finish(_ context.Context, reply []byte) ([]byte, error) {
	return append(reply, e...), nil
}

// serve starts a server and returns its address.
func serve(t testing.TB, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return l.Addr().String()
}

func echoServer(t testing.TB, limits Limits, begin func(*Call) (Finisher, error)) string {
	return serve(t, &Server{Limits: limits, Services: []Service{{Protocol: echoProtocol(t),
		Open: func(context.Context, Peer) (Session, error) { return echo{begin}, nil }}}})
}

func connect(t testing.TB, address string, o ClientOptions) *Client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(context.Background(), conn, echoProtocol(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestCallsOfEverySizeAreAnswered(t *testing.T) {
	c := connect(t, echoServer(t, Limits{}, nil), ClientOptions{ReplyBytes: 4 << 20})
	for _, n := range []int{0, 1, 100, 4 << 10, 4<<10 + 1, 100_000, 3 << 20} {
		body := bytes.Repeat([]byte{'x'}, n)
		got, err := c.Call(t.Context(), "append", []byte("head"), body, nil)
		if err != nil || string(got) != "head"+string(body) {
			t.Errorf("%d bytes: %d bytes back, %v", n, len(got), err)
		}
	}
}

func TestCallsAreBegunInOrderAndAnsweredInAny(t *testing.T) {
	var order []string
	gates := map[string]chan struct{}{"0": make(chan struct{}), "1": make(chan struct{}), "2": make(chan struct{})}
	c := connect(t, echoServer(t, Limits{}, func(c *Call) (Finisher, error) {
		name := string(c.Params)
		order = append(order, name)
		return FinishFunc(func(_ context.Context, reply []byte) ([]byte, error) {
			<-gates[name]
			return append(reply, name...), nil
		}), nil
	}), ClientOptions{})
	var calls []*Pending
	for i := range 3 {
		p, err := c.Start(t.Context(), "append", fmt.Appendf(nil, "%d", i), nil)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, p)
	}
	for i := 2; i >= 0; i-- {
		close(gates[fmt.Sprint(i)])
		if got, err := calls[i].Wait(t.Context(), nil); err != nil || string(got) != fmt.Sprint(i) {
			t.Errorf("call %d: %q %v", i, got, err)
		}
	}
	if fmt.Sprint(order) != "[0 1 2]" {
		t.Errorf("begun as %v", order)
	}
}

// Calls that wait for the disk must not use up the memory for those that are received.
func TestACallThatWasBegunHoldsNoMemoryOfItsRequest(t *testing.T) {
	const calls = 8
	begun, finish := make(chan struct{}, calls), make(chan struct{})
	c := connect(t, echoServer(t, Limits{Bytes: 256 << 10}, func(*Call) (Finisher, error) {
		begun <- struct{}{}
		return FinishFunc(func(_ context.Context, reply []byte) ([]byte, error) {
			<-finish
			return reply, nil
		}), nil
	}), ClientOptions{})
	var pending []*Pending
	for range calls {
		call, err := c.Start(t.Context(), "append", make([]byte, 200<<10), nil)
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, call)
	}
	for i := range calls {
		select {
		case <-begun:
		case <-time.After(time.Minute):
			t.Errorf("%d of %d calls were begun, the others wait for memory", i, calls)
			close(finish)
			return
		}
	}
	close(finish)
	for _, call := range pending {
		if _, err := call.Wait(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
}

func TestAnErrorIsAReply(t *testing.T) {
	c := connect(t, echoServer(t, Limits{}, func(c *Call) (Finisher, error) {
		if string(c.Params) == "begin" {
			return nil, errors.New("not begun")
		}
		return FinishFunc(func(context.Context, []byte) ([]byte, error) { return nil, errors.New("not finished") }), nil
	}), ClientOptions{})
	for params, want := range map[string]string{"begin": "not begun", "": "not finished"} {
		_, err := c.Call(t.Context(), "append", []byte(params), nil, nil)
		var remote *RemoteError
		if !errors.As(err, &remote) || remote.Message != want {
			t.Errorf("%q: %v", params, err)
		}
	}
}

func TestAHungServerIsDetected(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() { // makes the handshake, then reads and answers nothing
		in := &frameReader{conn: theirs, in: bufio.NewReader(theirs), frames: new(frames), limits: Limits{}.withDefaults(), ended: context.Background()}
		if _, err := in.next(); err != nil {
			return
		}
		_, _ = theirs.Write(append(appendFrame(nil, 0, 6), 0, 0, 0, 0, 0, 0))
		for {
			if _, err := in.next(); err != nil {
				return
			}
		}
	}()
	c, err := NewClient(t.Context(), ours, echoProtocol(t), ClientOptions{Probe: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Call(t.Context(), "append", nil, nil, nil); !errors.Is(err, errSilent) {
		t.Error(err)
	}
}

func TestAnAbandonedCallReleasesItsPlace(t *testing.T) {
	open := make(chan struct{})
	c := connect(t, echoServer(t, Limits{}, func(c *Call) (Finisher, error) {
		return FinishFunc(func(_ context.Context, reply []byte) ([]byte, error) { <-open; return reply, nil }), nil
	}), ClientOptions{InFlight: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.Call(ctx, "append", nil, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	close(open)
	if _, err := c.Call(t.Context(), "append", nil, nil, nil); err != nil {
		t.Error(err)
	}
}

// A call allocates little, counting client and server together in one process.
func TestACallAllocatesLittle(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	c := connect(t, echoServer(t, Limits{}, func(*Call) (Finisher, error) { return nothing{}, nil }), ClientOptions{})
	head, body, reply := []byte("head"), make([]byte, 64<<10), make([]byte, 0, 1<<10)
	n := testing.AllocsPerRun(200, func() {
		if _, err := c.Call(context.Background(), "append", head, body, reply[:0]); err != nil {
			t.Fatal(err)
		}
	})
	if n > 2 {
		t.Errorf("%v allocations a call", n)
	}
}

func BenchmarkCall(b *testing.B) {
	for _, kib := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("KiB=%d", kib), func(b *testing.B) {
			c := connect(b, echoServer(b, Limits{}, func(*Call) (Finisher, error) { return nothing{}, nil }), ClientOptions{})
			body := make([]byte, kib<<10)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Call(context.Background(), "append", nil, body, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type nothing struct{}

func (nothing) Finish(_ context.Context, reply []byte) ([]byte, error) { return reply, nil }

// closing is a connection that is closed between two writes.
type closing struct {
	net.Conn
	closed atomic.Bool
}

func (c *closing) SetWriteDeadline(t time.Time) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	return c.Conn.SetWriteDeadline(t)
}

// A call that was taken from the queue ends if the connection is closed before its first byte.
func TestACallEndsThoughTheConnectionClosedBeforeItsFirstByte(t *testing.T) {
	raw, err := net.Dial("tcp", echoServer(t, Limits{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	conn := &closing{Conn: raw}
	c, err := NewClient(t.Context(), conn, echoProtocol(t), ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn.closed.Store(true)
	if _, err := c.Call(t.Context(), "append", nil, []byte("x"), nil); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

package avrorpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"sluice/ingest/admission"
)

// ErrHangUp ends a connection if a Session returns it: the peer sent something that is not the
// protocol.
var ErrHangUp = errors.New("hang up")

// errReplaced ends a connection that was replaced by another one before it authenticated; the gate
// logs those.
var errReplaced = errors.New("connection limit reached, connection replaced")

// errNothing ends a connection that was opened and closed, as load balancers do to check a port.
var errNothing = errors.New("nothing was sent")

// Server answers calls. It must not be changed after Serve was called.
type Server struct {
	Services []Service // at least one; the first is sent to clients with an unknown protocol
	Limits   Limits
	// Gate decides which connections are served; nil: one is made from Limits.
	Gate *admission.Gate
	// Upgrade returns the connection to read from an accepted one, for TLS and compression; nil:
	// unchanged. Its time limit is Limits.Frame.
	Upgrade func(ctx context.Context, conn net.Conn) (net.Conn, error)
	Log     *slog.Logger // nil: discarded
}

// listening is a Server while it serves.
type listening struct {
	*Server
	protocols []*Protocol
	frames    frames
	calls     sync.Pool

	gate *admission.Gate
}

// Serve accepts connections until ctx is done, then stops reading, lets calls that were begun
// finish for up to Limits.Drain, and returns nil. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	served := *s
	served.Limits = s.Limits.withDefaults()
	if served.Log == nil {
		served.Log = slog.New(slog.DiscardHandler)
	}
	n := &listening{Server: &served}
	if n.gate = s.Gate; n.gate == nil {
		n.gate = s.Limits.NewGate(served.Log)
	}
	n.frames.free, n.frames.share = served.Limits.Bytes, served.Limits.Bytes/4
	for _, service := range s.Services {
		n.protocols = append(n.protocols, service.Protocol)
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		wait(ctx, n.gate.Pause())
		raw, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = raw.Close()
			}
			return nil
		}
		if err != nil {
			if passes(err) {
				n.gate.AcceptFailed(err)
				wait(ctx, acceptPause)
				continue
			}
			return errors.Join(fmt.Errorf("accept a connection: %w", err), l.Close())
		}
		peer := addressOf(raw).Addr()
		place := n.gate.Admit(raw, peer)
		if place == nil {
			_ = raw.Close()
			continue
		}
		conns.Go(func() {
			defer n.gate.Leave(place)
			switch err := n.serve(ctx, raw, place); {
			case err == nil, errors.Is(err, net.ErrClosed), errors.Is(err, errReplaced): // the gate logs those that it closes
			case errors.Is(err, errNothing):
				served.Log.Debug("connection ended", "peer", raw.RemoteAddr(), "err", err)
			default:
				served.Log.Warn("connection ended", "peer", raw.RemoteAddr(), "err", err)
			}
		})
	}
}

// acceptPause is the pause after an error of Accept.
const acceptPause = 50 * time.Millisecond

// passes reports whether an error of Accept is temporary, such as too many open files.
func passes(err error) bool {
	var passing interface{ Temporary() bool }
	return !errors.Is(err, net.ErrClosed) && errors.As(err, &passing) && passing.Temporary()
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// serve serves a connection to its end.
func (n *listening) serve(ctx context.Context, raw net.Conn, place *admission.Place) error {
	drained, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = raw.SetReadDeadline(time.Unix(1, 0))
		select {
		case <-drained.Done():
		case <-time.After(n.Limits.Drain):
			cancel()
			_ = raw.Close()
		}
	})
	defer stop()
	conn, err := n.begin(ctx, raw, place)
	if err != nil {
		return err
	}
	peer := peerOf(conn)
	if len(peer.Names) > 0 && !n.gate.Authenticate(place, peer.Names) {
		return errReplaced
	}
	c := &serverConn{listening: n, conn: conn, peer: peer, place: place, drained: drained, cancel: cancel,
		begin: make(chan *Call, n.Limits.InFlight), slots: make(chan struct{}, n.Limits.InFlight), work: make(chan *Call)}
	holder := n.frames.open(place.From())
	defer n.frames.close(place.From(), holder)
	err = c.run(ctx, &frameReader{conn: conn, in: bufio.NewReaderSize(conn, readBuffer), frames: &n.frames, holder: holder, limits: n.Limits, ended: ctx})
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// begin waits until a connection has sent a byte and may be served, and removes its layers. Until
// then it costs a goroutine and no buffer.
func (n *listening) begin(ctx context.Context, raw net.Conn, place *admission.Place) (net.Conn, error) {
	if err := raw.SetDeadline(time.Now().Add(n.Limits.Frame)); err != nil {
		return nil, err
	}
	conn, err := peek(raw)
	if errors.Is(err, io.EOF) {
		return nil, errNothing
	} else if err != nil {
		return nil, err
	}
	if delay := n.gate.Delay(place); delay > 0 {
		select {
		case <-time.After(delay):
		case <-place.Ended():
			return nil, errReplaced
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := raw.SetDeadline(time.Now().Add(n.Limits.Frame)); err != nil {
			return nil, err
		}
	}
	upgraded := net.Conn(conn)
	if n.Upgrade != nil {
		if upgraded, err = n.Upgrade(ctx, conn); err != nil {
			return nil, err
		}
	}
	return upgraded, raw.SetDeadline(time.Time{})
}

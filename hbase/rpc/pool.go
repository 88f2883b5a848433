package rpc

import (
	"context"
	"sync"
)

// Pool keeps one connection to each service of each server, and replaces broken ones. It is safe
// for concurrent use.
type Pool struct {
	options Options

	mu      sync.Mutex
	entries map[poolKey]*poolEntry
	closed  bool
}

type poolKey struct{ address, service string }

// poolEntry's token is held while its connection is checked or made.
type poolEntry struct {
	token chan struct{}
	conn  *Conn
}

// NewPool returns an empty pool.
func NewPool(o Options) *Pool {
	return &Pool{options: o.withDefaults(), entries: make(map[poolKey]*poolEntry)}
}

// Get returns a connection that is not known to be broken. Of several callers one dials and the
// others wait.
func (p *Pool) Get(ctx context.Context, server Server, service string) (*Conn, error) {
	key := poolKey{server.Address(), service}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	e := p.entries[key]
	if e == nil {
		e = &poolEntry{token: make(chan struct{}, 1)}
		p.entries[key] = e
	}
	p.mu.Unlock()
	select {
	case e.token <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-e.token }()
	if e.conn != nil {
		select {
		case <-e.conn.broken:
			_ = e.conn.Close() // waits for its goroutines only
			e.conn = nil
		default:
			return e.conn, nil
		}
	}
	conn, err := Dial(ctx, server, service, p.options)
	if err != nil {
		return nil, err
	}
	e.conn = conn
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		e.conn = nil
		_ = conn.Close()
		return nil, errClosed
	}
	return conn, nil
}

// Call calls a service of a server.
func (p *Pool) Call(ctx context.Context, server Server, service string, request *Request) (*Response, error) {
	conn, err := p.Get(ctx, server, service)
	if err != nil {
		return nil, err
	}
	return conn.Call(ctx, request)
}

// Close closes every connection and ends every call; a caller that dials ends with its context.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	entries := p.entries
	p.entries = nil
	p.mu.Unlock()
	for _, e := range entries {
		e.token <- struct{}{}
		if e.conn != nil {
			_ = e.conn.Close()
		}
		<-e.token
	}
	return nil
}

package region

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sluice/hbase/rpc"
	"sluice/retry"
)

// Cluster locates a cluster's servers and calls them. It is safe for concurrent use.
type Cluster struct {
	registry Registry
	pool     *rpc.Pool
	timeout  time.Duration
	limit    time.Duration // of failing attempts; 0: none
	retries  *retry.Registry

	mu           sync.Mutex
	meta, master rpc.Server // zero: unknown
}

// NewCluster takes ownership of registry and pool. A lookup in the meta table takes at most twice
// the timeout, so that a silent server is given up first. limit bounds the failing attempts of
// Retry; 0: until its context ends.
func NewCluster(registry Registry, pool *rpc.Pool, timeout, limit time.Duration, retries *retry.Registry) *Cluster {
	return &Cluster{registry: registry, pool: pool, timeout: timeout, limit: limit, retries: retries}
}

// Limit is the limit of failing attempts; 0: none.
func (c *Cluster) Limit() time.Duration { return c.limit }

// Close ends every call.
func (c *Cluster) Close() error { return errors.Join(c.registry.Close(), c.pool.Close()) }

// Call calls a region server.
func (c *Cluster) Call(ctx context.Context, server rpc.Server, request *rpc.Request) (*rpc.Response, error) {
	return c.pool.Call(ctx, server, rpc.ClientService, request)
}

// Admin calls the administrative service of a region server.
func (c *Cluster) Admin(ctx context.Context, server rpc.Server, request *rpc.Request) (*rpc.Response, error) {
	return c.pool.Call(ctx, server, rpc.AdminService, request)
}

// metaCall calls the server of the meta table, and drops the cached server if it is no longer that.
func (c *Cluster) metaCall(ctx context.Context, request *rpc.Request) (*rpc.Response, error) {
	response, err := c.found(ctx, &c.meta, c.registry.Meta, rpc.ClientService, request)
	if err != nil {
		return nil, fmt.Errorf("meta table: %w", err)
	}
	return response, nil
}

// Master calls the active master.
func (c *Cluster) Master(ctx context.Context, request *rpc.Request) (*rpc.Response, error) {
	response, err := c.found(ctx, &c.master, c.registry.Master, rpc.MasterService, request)
	if err != nil {
		return nil, fmt.Errorf("master: %w", err)
	}
	return response, nil
}

// found calls the server in known, which find finds.
func (c *Cluster) found(ctx context.Context, known *rpc.Server, find func(context.Context) (rpc.Server, error), service string, request *rpc.Request) (*rpc.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*c.timeout)
	defer cancel()
	c.mu.Lock()
	server := *known
	c.mu.Unlock()
	if server == (rpc.Server{}) {
		var err error
		if server, err = find(ctx); err != nil {
			return nil, err
		}
		c.mu.Lock()
		*known = server
		c.mu.Unlock()
	}
	response, err := c.pool.Call(ctx, server, service, request)
	if rpc.Classify(err) == rpc.Locate {
		c.mu.Lock()
		if *known == server {
			*known = rpc.Server{}
		}
		c.mu.Unlock()
	}
	return response, err
}

// Retry calls do until it returns nil, a permanent error, or too many unknown errors. It pauses
// between attempts, and ends with ctx or, with an *rpc.UnreachableError, at the cluster's limit.
// Failures are recorded in the registry under name.
func (c *Cluster) Retry(ctx context.Context, name string, do func(context.Context) error) error {
	b := rpc.Backoff{Limit: c.limit}
	var unknowns int
	var last error
	defer c.retries.GiveUp(name, &b)
	for {
		b.Begin()
		bounded, cancel := b.Deadline(ctx)
		err := do(bounded)
		cut := bounded.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil {
			c.retries.Recovered(name, &b)
			return nil
		}
		if cut && last != nil {
			err = last // more precise than a timeout
		}
		last = err
		if ctx.Err() != nil {
			return fmt.Errorf("%w; the last attempt: %w", ctx.Err(), err)
		}
		switch reaction := Classify(err); reaction {
		case rpc.GiveUp, rpc.RefuseRow:
			return err
		case rpc.Unknown:
			if unknowns++; unknowns > maxUnknowns {
				return err
			}
		}
		c.retries.Failed(name, &b, err)
		if e := b.Wait(ctx, err); errors.As(e, new(*rpc.UnreachableError)) {
			return fmt.Errorf("%s: %w", name, e)
		} else if e != nil {
			return fmt.Errorf("%w; the last attempt: %w", e, err)
		}
	}
}

// maxUnknowns bounds the unknown errors; 10 attempts take about 15 seconds.
const maxUnknowns = 10

// Classify is rpc.Classify, extended by this package's errors.
func Classify(err error) rpc.Reaction {
	switch {
	case errors.Is(err, ErrTableNotFound), errors.Is(err, ErrTableDisabled):
		return rpc.GiveUp
	case errors.Is(err, errNotOpen), errors.Is(err, errNoServer):
		return rpc.Locate
	}
	return rpc.Classify(err)
}

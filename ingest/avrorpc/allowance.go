package avrorpc

import (
	"context"
	"time"
)

// idleRate is how many pings, and as many calls without content, are answered a second on one
// connection, and how many at once. An agent makes a few such calls a second beside its batches; a
// client that makes only such calls would use processors that others need.
const idleRate = 100

// allowance is what is left of idleRate for a connection. The zero value is a full one.
type allowance struct {
	used float64
	at   time.Time
}

// take uses one and returns how long to wait before the answer.
func (a *allowance) take(now time.Time) time.Duration {
	a.used = max(0, a.used-idleRate*max(0, now.Sub(a.at).Seconds())) + 1
	a.at = now
	return time.Duration(max(0, a.used-idleRate) / idleRate * float64(time.Second))
}

// pace waits until the connection may have one more answer. Meanwhile nothing more is read from it
// or begun.
func (c *serverConn) pace(ctx context.Context, a *allowance) { wait(ctx, a.take(time.Now())) }

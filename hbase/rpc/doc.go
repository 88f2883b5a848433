// Package rpc is a connection to one HBase server: many calls in flight, answered in any order, one
// goroutine that writes queued calls and one that reads responses. Pool keeps connections, Classify
// decides about errors, and Backoff paces retries.
//
// A call ends at the latest with its response, its context, or its connection. A server that stops
// without closing its connections (SIGSTOP, a lost network) is detected: if calls are pending and
// nothing arrives for half the timeout, the connection sends a probe, and without a reply it fails
// with ErrSilent at the timeout.
package rpc

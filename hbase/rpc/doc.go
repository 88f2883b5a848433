// Package rpc is one connection to a server of HBase: many calls in flight, answered
// in any order, one goroutine that writes what has gathered and one that reads.
//
// A call ends with its answer, with its context, or with its connection; never
// later than that. A server that stops in the middle (SIGSTOP, a lost network)
// leaves connections open that say nothing: where calls wait and nothing arrives
// for half the timeout the connection asks for a sign of life, and without one it
// fails with ErrSilent at the whole. [Classify] says what to do about any error.
package rpc

// Package attack is what hostile senders do to a collector, as tests: a real collector
// and a real agent of an honest host, in processes of their own, while an attack goes on.
//
// Each [attack] is a row of "Under attack" in docs/benchmarks.md. The short form runs each for as long
// as the honest host takes to deliver a small log; make attack measures with a long one and
// prints the rates.
package attack

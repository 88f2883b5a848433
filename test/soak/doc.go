// Package soak runs loads on a real cluster while its daemons are killed, paused
// and started again and regions move and split, in an order drawn from a seed; then
// it looks whether everything that was promised is there, and nothing else.
//
// A [World] is what faults act on, a [Fault] one thing that goes wrong and is mended
// again, a [Plan] when each does, a [Load] what works meanwhile, a [Check] what must
// hold when all is well again. [Run] puts them together. Another sink or another
// process to be killed is another row of faults, another load and another check.
//
// The tests run it shortly; `make soak SEED=1 DURATION=10m` for as long as one likes.
package soak

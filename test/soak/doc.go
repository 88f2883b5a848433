// Package soak runs loads on a real cluster while its daemons are killed, paused and started again
// and regions move and split, at times drawn from a seed. Then it checks that everything that was
// promised is stored, and nothing else.
//
// A [Fault] is a failure and its repair, a [Plan] the times of faults, a [World] what faults act
// on, a [Load] what runs meanwhile, a [Check] a condition that must hold when everything has
// recovered. [Run] puts them together. To test another sink or process, add faults, a load and
// checks.
//
// The tests run short plans; `make soak SEED=1 DURATION=10m` runs longer ones.
package soak

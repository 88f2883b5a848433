// Package soak runs loads on a real cluster while its daemons are killed, paused and started again
// and regions move and split, at times drawn from a seed. Then it checks that everything that was
// promised is stored, and nothing else.
//
// A [fault] is a failure and its repair, a [plan] the times of faults, a [world] what faults act
// on, a [load] what runs meanwhile, a [check] a condition that must hold when everything has
// recovered. [scenario] puts them together. To test another sink or process, add faults, a load and
// checks.
//
// The tests run short plans; `make soak SEED=1 DURATION=10m` runs longer ones.
package soak

//go:build race

package main

// raceDetector is true in a binary built with the race detector, which makes the processes of these
// tests about ten times slower.
const raceDetector = true

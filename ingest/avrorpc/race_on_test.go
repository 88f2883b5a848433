//go:build race

package avrorpc

// raceDetector is true if the race detector runs, which allocates.
const raceDetector = true

//go:build race

package query

// raceDetector: what counts allocations is left out.
const raceDetector = true

//go:build race

package query

// raceDetector: tests that count allocations are skipped.
const raceDetector = true

//go:build race

package query

// raceDetector: tests that count allocations are skipped, and repetitions are fewer.
const raceDetector = true

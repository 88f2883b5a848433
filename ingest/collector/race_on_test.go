//go:build race

package collector

// raceDetector is true in a binary built with the race detector, which runs tests with thousands of
// repetitions less often.
const raceDetector = true

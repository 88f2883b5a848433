//go:build race

package columnar_test

// raceDetector reduces the repetitions of tests that repeat something thousands of times.
const raceDetector = true

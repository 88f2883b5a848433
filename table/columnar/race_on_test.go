//go:build race

package columnar_test

// raceDetector: what repeats a thing thousands of times does it less often.
const raceDetector = true

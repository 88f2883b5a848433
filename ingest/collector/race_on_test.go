//go:build race

package collector

// raceDetector: what repeats a thing thousands of times does it less often.
const raceDetector = true

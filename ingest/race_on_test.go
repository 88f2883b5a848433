//go:build race

package ingest

// raceDetector: what repeats a thing thousands of times does it less often.
const raceDetector = true

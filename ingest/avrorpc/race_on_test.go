//go:build race

package avrorpc

// raceDetector: it allocates where the code does not.
const raceDetector = true

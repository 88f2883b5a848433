//go:build race

package embedded

// raceDetector: it allocates where the code does not.
const raceDetector = true

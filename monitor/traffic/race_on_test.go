//go:build race

package traffic

// raceDetector is true in a binary built with the race detector. A simulated month runs in one
// goroutine, so the race detector finds nothing there.
const raceDetector = true

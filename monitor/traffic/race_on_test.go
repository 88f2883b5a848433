//go:build race

package traffic

// raceDetector is true if the race detector is on, which finds nothing in a simulated month.
const raceDetector = true

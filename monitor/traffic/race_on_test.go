//go:build race

package traffic

// raceDetector: one simulated month is enough.
const raceDetector = true

//go:build race

package parse

// raceDetector: it allocates where the code does not, empties pools, and makes the code many
// times slower.
const raceDetector = true

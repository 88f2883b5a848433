//go:build !race

package columnar_test

const raceDetector = false

//go:build !race

package avrorpc

const raceDetector = false

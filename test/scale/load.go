package scale

import (
	"math"
	"time"
)

// peaks are the times of the day with the most requests, in hours.
var peaks = [3]float64{9, 13, 20.5}

const (
	peakWidth  = 1.3 // standard deviation, hours
	nightPart  = 0.35
	peakFactor = 1.8 // the highest rate of a day by the mean one; a test holds it
)

// rhythm is the rate at a time of the day, by the mean rate of the day.
func rhythm(at time.Duration) float64 {
	hour := math.Mod(at.Hours(), 24)
	x := nightPart
	for _, p := range peaks {
		d := math.Abs(hour - p)
		d = min(d, 24-d)
		x += math.Exp(-d * d / (2 * peakWidth * peakWidth))
	}
	return x / rhythmMean
}

// rhythmMean is the mean of rhythm before it is divided by it: the night, and the area of the peaks.
var rhythmMean = nightPart + 3*peakWidth*math.Sqrt(2*math.Pi)/24

package parse

import (
	"strings"
	"testing"

	"sluice/schema"
)

// A hostile line takes a bounded number of steps for each byte, in any format.
func TestHostileLinesAreReadInStepsThatGrowWithTheLine(t *testing.T) {
	if raceDetector {
		t.Skip("counted without the race detector: make plain")
	}
	const begin = `192.0.2.1 - bob [25/Jun/2017:10:14:35 +0000] "GET /`
	for _, format := range []string{
		"combined", "agent", `%h %l %u %t %r %>s %b`, `%v %h %{X-Forwarded-For}i %l %u %t "%r" %>s`, `%h %{X-Forwarded-For}i %u %t %{end}t "%r" %>s`,
		`%{A}i %{B}i %{C}i %{D}i %u %t`, `%{A}i "%{B}i" %{C}i "%{D}i"`, `%U%q %{A}i %U%q`, `%v:%h:%m %{A}i`, `%h-%v[%l`,
	} {
		f, err := Lookup(format, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, piece := range []string{" ", `"`, `\`, `" `, `" "`, "[", "- ", " - ", "a, ", "a ", "?", "? ", ":", `\"`, "\x00", "\t", "[25/Jun/2017:10:14:35 +0000] ", `[25/Jun/2017:10:14:35 +0000] "`, ` HTTP/1.1" `, `" 200 `, "0", "1 "} {
			for _, around := range [][2]string{{"", ""}, {begin, `" 200 1 "-" "x"`}, {begin, ""}, {"192.0.2.1 - ", ` [25/Jun/2017:10:14:35 +0000] "GET / HTTP/1.1" 200 1 "-" "curl"`}} {
				var worst [2]float64
				for i, n := range []int{1 << 12, 100 << 10} {
					line := around[0] + strings.Repeat(piece, n/len(piece)) + around[1]
					var rec schema.Record
					f.Parse([]byte(line), &rec)
					g, _ := f.readings.Get().(*readings)
					if g == nil {
						continue
					}
					worst[i] = float64(g.looks) / float64(len(line)+spareTries)
					f.readings.Put(g)
				}
				if worst[1] > float64(maxStarts*(len(f.steps)+2)) || worst[1] > 2*worst[0]+16 {
					t.Errorf("%s, %q in %q: %.1f looks a byte in 4 kB, %.1f in 100 kB", f, piece, around, worst[0], worst[1])
				}
			}
		}
	}
}

package bench

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"net/netip"
	"regexp"
	"runtime"
	"strconv"
	"time"

	"sluice/bench/measure"
	"sluice/parse"
	"sluice/schema"
)

// Parse compares the parser with the minimum work of any parser, and with regular expressions for
// the same fields.
type Parse struct {
	Format  string   `json:"format"`
	Readers []Reader `json:"readers"`
}

// Reader is one way of reading lines.
type Reader struct {
	Name string `json:"name"`
	// Lines is the number of lines in each round.
	Lines int64 `json:"lines"`
	// NanosPerLine is CPU time of one core, including the search for newlines.
	NanosPerLine measure.Cost `json:"ns_per_line"`
	// TimesSplit is NanosPerLine divided by the time for finding newlines only, in the same round.
	TimesSplit    measure.Cost `json:"times_split"`
	MBPerSecond   float64      `json:"mb_per_second"`
	AllocsPerLine float64      `json:"allocs_per_line"`
}

// maxSlowLines is the number of lines in a round for readers that need microseconds for each.
const maxSlowLines = 30_000

// combinedPattern parses the combined format, including escaped quotes.
const combinedPattern = `^(?P<client>\S+) (?P<ident>\S+) (?P<user>.+?) \[(?P<time>[^\]]+)\] ` +
	`"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}|-) (?P<bytes>\d+|-) ` +
	`"(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"$`

// reader is a way of reading and its measurements.
type reader struct {
	name  string
	lines *Lines
	read  func(data []byte)

	seconds []float64 // CPU time of each round
	mallocs uint64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// MeasureParse measures the parser. The readers take turns, so that other load on the machine
// affects all of them.
func MeasureParse(ctx context.Context, l *Lines, rounds int) (*Parse, error) {
	readers, err := newReaders(l)
	if err != nil {
		return nil, err
	}
	for round := -1; round < rounds; round++ { // the first round is a warm-up
		for _, r := range readers {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			used, err := measure.Work(func() error { r.read(r.lines.data); return nil })
			if err != nil {
				return nil, err
			}
			runtime.ReadMemStats(&after)
			if round >= 0 {
				r.seconds = append(r.seconds, used.CPU.Seconds())
				r.mallocs += after.Mallocs - before.Mallocs
			}
		}
	}
	p := &Parse{Format: l.format.String()}
	for _, r := range readers {
		p.Readers = append(p.Readers, r.result(readers[0]))
	}
	return p, nil
}

func (r *reader) result(split *reader) Reader {
	var nanos, times []float64
	for i := range r.seconds {
		nanos = append(nanos, r.seconds[i]*1e9/float64(r.lines.count))
		splitNanos := split.seconds[i] * 1e9 / float64(split.lines.count)
		times = append(times, nanos[i]/splitNanos)
	}
	out := Reader{
		Name: r.name, Lines: r.lines.count, NanosPerLine: measure.NewCost(nanos), TimesSplit: measure.NewCost(times),
		AllocsPerLine: float64(r.mallocs) / float64(int64(len(r.seconds))*r.lines.count),
	}
	bytesPerLine := float64(len(r.lines.data)) / float64(r.lines.count)
	out.MBPerSecond = measure.PerSecond(out.NanosPerLine.Median) * bytesPerLine / 1e6
	return out
}

func newReaders(l *Lines) ([]*reader, error) {
	few := l.head(maxSlowLines)
	readers := []*reader{
		{name: "newlines alone", lines: l, read: eachLine(func([]byte) {})},
		{name: "newlines and crc32c", lines: l, read: eachLine(func(line []byte) { crc32.Checksum(line, castagnoli) })},
		{name: "sluice", lines: l, read: readFormat(l.format)},
	}
	if l.format.String() != "combined" {
		return readers, nil
	}
	pattern, err := parse.Lookup(parse.PatternPrefix+combinedPattern, time.UTC)
	if err != nil {
		return nil, fmt.Errorf("the pattern to compare with: %w", err)
	}
	return append(readers,
		&reader{name: "standard regexp", lines: few, read: readRegexp(regexp.MustCompile(combinedPattern))},
		&reader{name: "sluice --pattern", lines: few, read: readFormat(pattern)},
	), nil
}

func eachLine(do func(line []byte)) func([]byte) {
	return func(data []byte) {
		for len(data) > 0 {
			i := bytes.IndexByte(data, '\n')
			do(data[:i])
			data = data[i+1:]
		}
	}
}

func readFormat(f *parse.Format) func([]byte) {
	var rec schema.Record
	return eachLine(func(line []byte) { f.Parse(line, &rec) })
}

// readRegexp extracts the same values as the parser: spans, time, address and numbers. Like a
// simple program it does not decode escapes, or split the request.
func readRegexp(re *regexp.Regexp) func([]byte) {
	return eachLine(func(line []byte) {
		m := re.FindSubmatchIndex(line)
		if m == nil {
			return
		}
		group := func(i int) string { return string(line[m[2*i]:m[2*i+1]]) }
		// An invalid value stays zero, the result of the failed conversion.
		discard(netip.ParseAddr(group(1)))
		discard(time.Parse("02/Jan/2006:15:04:05 -0700", group(4)))
		discard(strconv.ParseInt(group(6), 10, 64))
		discard(strconv.ParseInt(group(7), 10, 64))
	})
}

func discard[T any](T, error) {}

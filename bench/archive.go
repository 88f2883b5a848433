package bench

import (
	"context"
	"path/filepath"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"

	"sluice/bench/measure"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
)

// Archive is the cost of writing segments, at several levels of gzip.
type Archive struct {
	Bytes  int64   `json:"bytes"`
	Levels []Level `json:"levels"`
}

// Level is one level of gzip. CPU is in seconds of one core for a gigabyte (1e9 bytes) of lines.
type Level struct {
	Level int `json:"level"`
	// SegmentCPU is for appending batches to a segment, and one sync.
	SegmentCPU measure.Cost `json:"segment_cpu_seconds_per_gb"`
	// GzipCPU is for the compressor alone, with a member for each batch and the output discarded.
	GzipCPU measure.Cost `json:"gzip_cpu_seconds_per_gb"`
	// TimesGzip is the ratio of the two, calculated for each round.
	TimesGzip measure.Cost `json:"times_gzip"`
	// Ratio is the bytes of lines divided by the bytes of the segment.
	Ratio       float64 `json:"ratio"`
	GzipRatio   float64 `json:"gzip_ratio"`
	MBPerSecond float64 `json:"mb_per_cpu_second"`
}

var archiveLevels = []int{1, 2, 3, 4, 5, 6, 7, 8, 9}

// MeasureArchive writes the lines to segments below dir.
func MeasureArchive(ctx context.Context, l *Lines, dir string, rounds int) (*Archive, error) {
	a := &Archive{Bytes: int64(len(l.data))}
	for _, level := range archiveLevels {
		var own, alone, times []float64
		out := Level{Level: level}
		for i := range rounds {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			path := filepath.Join(dir, "level"+strconv.Itoa(level)+"-"+strconv.Itoa(i)+".gz")
			segmentCPU, segmentBytes, err := writeSegment(l, path, level)
			if err != nil {
				return nil, err
			}
			gzipCPU, gzipBytes, err := writeGzip(l, level)
			if err != nil {
				return nil, err
			}
			perGB := 1e9 / float64(a.Bytes)
			own, alone = append(own, segmentCPU.Seconds()*perGB), append(alone, gzipCPU.Seconds()*perGB)
			times = append(times, own[i]/alone[i])
			out.Ratio = float64(a.Bytes) / float64(segmentBytes)
			out.GzipRatio = float64(a.Bytes) / float64(gzipBytes)
		}
		out.SegmentCPU, out.GzipCPU, out.TimesGzip = measure.NewCost(own), measure.NewCost(alone), measure.NewCost(times)
		out.MBPerSecond = 1e3 / out.SegmentCPU.Median
		a.Levels = append(a.Levels, out)
	}
	return a, nil
}

func writeSegment(l *Lines, path string, level int) (took time.Duration, size int64, err error) {
	enc, err := segment.NewEncoder(level)
	if err != nil {
		return 0, 0, err
	}
	w, err := segment.Create(vfs.OS{}, path)
	if err != nil {
		return 0, 0, err
	}
	u, err := measure.Work(func() error {
		for b := range l.batches(l.stream()) {
			if _, err := w.Append(enc, b); err != nil {
				return err
			}
		}
		size = w.Size()
		_, err := w.Seal()
		return err
	})
	return u.CPU, size, err
}

// count is a writer that only counts bytes.
type count int64

func (c *count) Write(p []byte) (int, error) {
	*c += count(len(p))
	return len(p), nil
}

func writeGzip(l *Lines, level int) (time.Duration, int64, error) {
	var n count
	z, err := gzip.NewWriterLevel(&n, level)
	if err != nil {
		return 0, 0, err
	}
	u, err := measure.Work(func() error {
		for b := range l.batches(l.stream()) {
			z.Reset(&n)
			if _, err := z.Write(b.Data); err != nil {
				return err
			}
			if err := z.Close(); err != nil {
				return err
			}
		}
		return nil
	})
	return u.CPU, int64(n), err
}

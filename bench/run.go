package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sluice/bench/measure"
)

// Run is the cost of `sluice run --once` on the log, each time into an empty directory.
type Run struct {
	Lines int64 `json:"lines"`
	// CPU is that of all threads, user and system.
	CPU         measure.Cost `json:"cpu_seconds_per_million_lines"`
	Wall        measure.Cost `json:"seconds_per_million_lines"`
	PeakBytes   measure.Cost `json:"peak_bytes"`
	LinesPerSec int64        `json:"lines_per_second"`
	// TableBytes and ArchiveBytes are the sizes on disk after a run.
	TableBytes   int64 `json:"table_bytes"`
	ArchiveBytes int64 `json:"archive_bytes"`
}

// MeasureRun stores the log at path, with the given number of lines, in directories below dir.
func MeasureRun(ctx context.Context, sluice Runner, path, format string, lines int64, dir string, rounds int) (*Run, error) {
	r := &Run{Lines: lines}
	var used []measure.Usage
	for i := range rounds {
		data := filepath.Join(dir, "run"+strconv.Itoa(i))
		out, u, err := sluice(ctx, []string{"--quiet", "--data", data, "run", "--once", "--host", "bench", "--format", format, path})
		if err != nil {
			return nil, err
		}
		var read, bytes, rows int64
		if _, err := fmt.Sscanf(string(out), "lines=%d bytes=%d rows=%d", &read, &bytes, &rows); err != nil {
			return nil, fmt.Errorf("the run's summary is not readable: %q: %w", out, err)
		}
		if err := measure.CheckCount("rows stored", rows, lines); err != nil {
			return nil, err
		}
		used = append(used, u)
		if r.TableBytes, err = measure.DirBytes(filepath.Join(data, "table")); err != nil {
			return nil, err
		}
		if r.ArchiveBytes, err = measure.DirBytes(filepath.Join(data, "archive")); err != nil {
			return nil, err
		}
		// The next round must not wait until the pages of this one are written.
		if err := os.RemoveAll(data); err != nil {
			return nil, err
		}
	}
	r.CPU = measure.CostOf(used, func(u measure.Usage) float64 { return measure.PerMillion(u.CPU, lines) })
	r.Wall = measure.CostOf(used, func(u measure.Usage) float64 { return measure.PerMillion(u.Wall, lines) })
	r.PeakBytes = measure.CostOf(used, func(u measure.Usage) float64 { return float64(u.PeakBytes) })
	r.LinesPerSec = int64(1e6 / max(r.Wall.Median, float64(time.Nanosecond)))
	return r, nil
}

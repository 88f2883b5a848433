package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/measure"
	"sluice/bench/peers"
	"sluice/bench/trace"
)

// WebConfig are the parameters of MeasureWeb: a web server under full load, with and without a
// reader of its logs.
type WebConfig struct {
	Hosts   int
	Beside  []string // none, agent, sluice, flume
	Rounds  int
	Load    time.Duration // of each measurement; warm is before it, and cool after it
	Seed    uint64        // of the order of the readers in each round
	Dir     string
	Peers   string // cache directory for Flume's jars
	Command Command
	Say     func(what string)
}

// Web is the result of MeasureWeb.
type Web struct {
	Hosts   int       `json:"hosts"`
	Rounds  int       `json:"rounds"`
	Seconds float64   `json:"seconds"`
	Rows    []*WebRow `json:"rows"`
	// Steps are the governor's decisions in the last round.
	Steps []trace.Step `json:"-"`
	Marks []trace.Mark `json:"-"`
}

// WebRow is the server with one reader.
type WebRow struct {
	Beside            string       `json:"beside"`
	RequestsPerSecond measure.Cost `json:"requests_per_second"`
	P99               measure.Cost `json:"p99_milliseconds"`
	// OfNone is the number of requests a second divided by that without a reader, in the same
	// round.
	OfNone measure.Ratio `json:"of_none"`
	// CPU is the reader's under load, in percent of one core.
	CPU    measure.Cost `json:"cpu_percent"`
	Errors int          `json:"errors"`
	// Logged is the number of lines that the server wrote, Taken the number that the reader took.
	Logged int64 `json:"logged"`
	Taken  int64 `json:"taken"`
}

// webReader is a reader of a web server's logs.
type webReader interface {
	cpu() (time.Duration, error)
	// finish waits for the given number of lines, stops the reader, and returns the number of lines
	// that it has.
	finish(ctx context.Context, lines int64) (int64, error)
	stop() error
}

// CheckBeside returns an error if there is no reader with that name.
func CheckBeside(name string) error {
	if !slices.Contains([]string{readerNone, readerAgent, readerSluice, readerFlume}, name) {
		return fmt.Errorf("%q cannot run beside a web server: none, agent, sluice or flume", name)
	}
	return nil
}

// maxWarm limits the load before a measurement, and the time after it in which a reader catches up.
const maxWarm = 10 * time.Second

func (cfg *WebConfig) warm() time.Duration { return min(cfg.Load/3, maxWarm) }

// MeasureWeb loads an Apache with wrk. Each round has every reader once, in random order.
func MeasureWeb(ctx context.Context, cfg WebConfig) (*Web, error) {
	logs := filepath.Join(cfg.Dir, "logs")
	if err := errors.Join(os.Chmod(cfg.Dir, 0o755), os.Mkdir(logs, 0o755)); err != nil {
		return nil, err
	}
	server, err := peers.StartApache(ctx, cfg.Dir, logs, cfg.Hosts)
	if err != nil {
		return nil, err
	}
	w := &Web{Hosts: cfg.Hosts, Rounds: cfg.Rounds, Seconds: cfg.Load.Seconds()}
	figures := make([]webFigures, len(cfg.Beside))
	for _, name := range cfg.Beside {
		w.Rows = append(w.Rows, &WebRow{Beside: name})
	}
	order := rand.New(rand.NewPCG(cfg.Seed, 0))
	for round := range cfg.Rounds {
		for _, at := range order.Perm(len(cfg.Beside)) {
			cfg.Say(fmt.Sprintf("%s, round %d", cfg.Beside[at], round+1))
			if err := w.measure(ctx, cfg, server, logs, w.Rows[at], &figures[at]); err != nil {
				return nil, errors.Join(fmt.Errorf("beside %s: %w", cfg.Beside[at], err), server.Stop())
			}
		}
	}
	none := slices.Index(cfg.Beside, readerNone)
	for i, f := range figures {
		for round := range f.rate {
			if none >= 0 && none != i {
				f.ofNone = append(f.ofNone, f.rate[round]/figures[none].rate[round])
			}
		}
		r := w.Rows[i]
		r.RequestsPerSecond, r.P99, r.OfNone, r.CPU = measure.NewCost(f.rate), measure.NewCost(f.p99), measure.NewRatio(f.ofNone), measure.NewCost(f.cpu)
	}
	return w, server.Stop()
}

// webFigures are the figures of each round.
type webFigures struct{ rate, p99, ofNone, cpu []float64 }

func (w *Web) measure(ctx context.Context, cfg WebConfig, server *peers.Apache, logs string, row *WebRow, f *webFigures) error {
	if err := emptyLogs(logs); err != nil {
		return err
	}
	home, err := os.MkdirTemp(cfg.Dir, row.Beside)
	if err != nil {
		return err
	}
	reader, err := cfg.startReader(ctx, row.Beside, logs, home)
	if err != nil {
		return err
	}
	failed := func(err error) error { return errors.Join(err, reader.stop()) }
	unix.Sync() // so that what an earlier reader wrote is not written to disk beside this one
	if _, err := peers.Wrk(ctx, home, server.URL, cfg.Hosts, cfg.warm()); err != nil {
		return failed(err)
	}
	used, err := reader.cpu()
	if err != nil {
		return failed(err)
	}
	began := time.Now()
	load, err := peers.Wrk(ctx, home, server.URL, cfg.Hosts, cfg.Load)
	if err != nil {
		return failed(err)
	}
	ended := time.Now()
	usedNow, err := reader.cpu()
	if err != nil {
		return failed(err)
	}
	if err := pause(ctx, cfg.warm()); err != nil { // the picture also shows the time after the load
		return failed(err)
	}
	logged, err := countLogs(logs)
	if err != nil {
		return failed(err)
	}
	taken, err := reader.finish(ctx, logged)
	if err != nil {
		return err
	}
	f.rate = append(f.rate, load.RequestsPerSecond)
	f.p99 = append(f.p99, load.P99.Seconds()*1e3)
	f.cpu = append(f.cpu, 100*(usedNow-used).Seconds()/ended.Sub(began).Seconds())
	row.Errors += load.Errors
	row.Logged += logged
	row.Taken += taken
	if r, ok := reader.(*runner); ok {
		if w.Steps, err = r.steps(); err != nil {
			return err
		}
		w.Marks = []trace.Mark{{At: began, Text: "load is measured"}, {At: ended, Text: "load ends"}}
	}
	return os.RemoveAll(home)
}

func (cfg *WebConfig) startReader(ctx context.Context, name, logs, home string) (webReader, error) {
	switch name {
	case readerNone:
		return noReader{}, nil
	case readerSluice:
		return startRunner(ctx, cfg.Command, logs, home)
	case readerAgent:
		return startWebAgent(ctx, cfg.Command, logs, home)
	}
	jars, err := peers.Jars(ctx, cfg.Peers)
	if err != nil {
		return nil, err
	}
	f, err := peers.StartFlume(ctx, jars, logs, home)
	if err != nil {
		return nil, err
	}
	return webFlume{&flumeReader{ctx, f}}, nil
}

// noReader is a webReader that reads nothing.
type noReader struct{}

func (noReader) cpu() (time.Duration, error)                  { return 0, nil }
func (noReader) finish(context.Context, int64) (int64, error) { return 0, nil }
func (noReader) stop() error                                  { return nil }

// webFlume is Flume's TAILDIR source as a webReader.
type webFlume struct{ *flumeReader }

func (f webFlume) cpu() (time.Duration, error) { return f.flume.CPU() }
func (f webFlume) stop() error                 { return f.flume.Stop() }

func (f webFlume) finish(ctx context.Context, lines int64) (int64, error) {
	err := f.drain(lines)
	taken, err2 := f.flume.Taken(ctx)
	return taken, errors.Join(err, err2, f.stop())
}

// emptyLogs truncates every log, while there is no reader. Apache opens its logs for appending.
func emptyLogs(dir string) error {
	return eachLog(dir, func(path string) error { return os.Truncate(path, 0) })
}

// countLogs counts the lines of all logs.
func countLogs(dir string) (lines int64, err error) {
	err = eachLog(dir, func(path string) error {
		b, err := os.ReadFile(path)
		lines += int64(bytes.Count(b, []byte("\n")))
		return err
	})
	return lines, err
}

func eachLog(dir string, do func(path string) error) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.log"))
	for _, path := range paths {
		if err = do(path); err != nil {
			break
		}
	}
	return err
}

// Wrong returns the lines that sluice did not store and the errors of the server, one on each line.
func (w *Web) Wrong() []string {
	var wrong []string
	for _, r := range w.Rows {
		if r.Errors > 0 {
			wrong = append(wrong, fmt.Sprintf("beside %s %d requests failed", r.Beside, r.Errors))
		}
		if (r.Beside == readerSluice || r.Beside == readerAgent) && r.Taken != r.Logged {
			wrong = append(wrong, fmt.Sprintf("beside %s %d lines were logged, %d stored or received", r.Beside, r.Logged, r.Taken))
		}
	}
	return wrong
}

// Picture draws the governor's trace of the last round with sluice.
func (w *Web) Picture(out io.Writer) error {
	return trace.SVG(out, fmt.Sprintf("sluice run beside apache2 with %d virtual hosts under wrk", w.Hosts), w.Steps, w.Marks)
}

// Print writes the result as text.
func (w *Web) Print(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "apache2, %d virtual hosts, wrk on all cores, %.0f s each; median of %d rounds; of none: mean of pairs, 95 %% confidence interval\n", w.Hosts, w.Seconds, w.Rounds)
	measure.WriteTable(&b, "beside\trequests/s\tof none\tp99 ms\treader's CPU %\tlogged\ttaken\terrors", func(row func(string, ...any)) {
		for _, r := range w.Rows {
			row("%s\t%.0f\t%s\t%.1f\t%s\t%d\t%d\t%d", r.Beside, r.RequestsPerSecond.Median, r.OfNone,
				r.P99.Median, orDash(r.CPU.Median > 0, "%.2f", r.CPU.Median), r.Logged, r.Taken, r.Errors)
		}
	})
	_, err := io.WriteString(out, b.String())
	return err
}

package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sluice/bench/fleet"
	"sluice/bench/measure"
)

// Spawn returns a command that runs TailChild.
type Spawn func(ctx context.Context) *exec.Cmd

// child is a process of TailChild.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	enc *json.Encoder
	dec *json.Decoder
}

func startChild(ctx context.Context, spawn Spawn, spec tailSpec) (*child, error) {
	c := &child{cmd: spawn(ctx)}
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Role, err)
	}
	c.enc, c.dec = json.NewEncoder(c.in), json.NewDecoder(out)
	if _, err := c.send(spec); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", spec.Role, err), c.kill())
	}
	return c, nil
}

func (c *child) ask(do string, lines int64) (tailReply, error) {
	return c.send(tailRequest{Do: do, Lines: lines})
}

func (c *child) send(v any) (r tailReply, err error) {
	if err = c.enc.Encode(v); err == nil {
		err = c.dec.Decode(&r)
	}
	if err == nil && r.Err != "" {
		err = errors.New(r.Err)
	}
	return r, err
}

// stop ends the process after it has saved its outcome.
func (c *child) stop() (tailReply, error) {
	r, err := c.ask(doStop, 0)
	return r, errors.Join(err, c.cmd.Wait())
}

func (c *child) kill() error {
	err := c.cmd.Process.Kill()
	c.cmd.Wait() // nolint:errcheck // it was killed; Wait closes its pipes
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// flumeWarm is the minimum time that Flume's JVM runs before it is measured.
const flumeWarm = 30 * time.Second

// MeasureTail measures every reader with every load, one after another.
func MeasureTail(ctx context.Context, cfg TailConfig) (*Tail, error) {
	t := &Tail{
		Machine: measure.ThisMachine(),
		Fleet:   cfg.Fleet, Seconds: cfg.Window.Seconds(), Rounds: cfg.Rounds,
	}
	random := rand.New(rand.NewPCG(cfg.Fleet.Seed, 1))
	for _, rotation := range cfg.Rotations {
		for _, shape := range cfg.Shapes {
			rows := map[string]*tailRounds{}
			for _, reader := range cfg.Readers {
				row := &TailRow{Reader: reader, Shape: shape, Rotation: rotation}
				t.Rows = append(t.Rows, row)
				rows[reader] = &tailRounds{row: row}
			}
			for round := range cfg.Rounds {
				for _, reader := range cfg.Readers {
					cfg.Say(fmt.Sprintf("%s, %s, rotation %s, round %d", reader, shape, rotation, round+1))
					m := &tailMeasurement{cfg: &cfg, rounds: rows[reader], random: random}
					if err := m.run(ctx); err != nil {
						if ctx.Err() != nil {
							return nil, ctx.Err()
						}
						rows[reader].row.Failed = err.Error()
					}
				}
			}
			for _, r := range rows {
				r.finish()
			}
		}
	}
	return t, nil
}

// tailRounds are the figures of a row, one for each round.
type tailRounds struct {
	row                         *TailRow
	cpu, peak, p50, p99, writer []float64
}

func (r *tailRounds) finish() {
	r.row.CPU, r.row.PeakBytes = measure.NewCost(r.cpu), measure.NewCost(r.peak)
	r.row.P50, r.row.P99, r.row.WriterMicros = measure.NewCost(r.p50), measure.NewCost(r.p99), measure.NewCost(r.writer)
}

// tailMeasurement is one round of one reader with one load.
type tailMeasurement struct {
	cfg    *TailConfig
	rounds *tailRounds
	random *rand.Rand

	dir    string
	fleet  fleet.Config
	writer *child
	reader tailReader
	runs   uint32
}

// tailReader is the process of a reader.
type tailReader interface {
	ask(do string, lines int64) (tailReply, error)
	stop() (tailReply, error)
	kill() error
}

func (m *tailMeasurement) run(ctx context.Context) (err error) {
	row := m.rounds.row
	if m.dir, err = os.MkdirTemp(m.cfg.Dir, "fleet-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(m.dir)) }()
	m.fleet = m.cfg.Fleet
	m.fleet.Shape, m.fleet.Rotation, m.fleet.Dir = row.Shape, row.Rotation, filepath.Join(m.dir, "logs")
	if row.Rotation == fleet.NoRotation {
		m.fleet.LateFor = 0
	}
	if err := os.Mkdir(m.fleet.Dir, 0o750); err != nil {
		return err
	}
	if m.writer, err = startChild(ctx, m.cfg.Spawn, tailSpec{Role: roleWriter, Fleet: m.fleet, Outcome: filepath.Join(m.dir, "ledger")}); err != nil {
		return err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, m.writer.kill())
		}
	}()
	if err := m.startReader(ctx); err != nil {
		return err
	}
	if err := m.watch(ctx); err != nil {
		return errors.Join(err, m.stopReader())
	}
	w, err := m.writer.stop()
	if stopped = true; err != nil {
		return errors.Join(err, m.stopReader())
	}
	row.Lines += int(w.Lines)
	row.Rotated += w.Rotated
	return m.check(w.Lines)
}

func (m *tailMeasurement) startReader(ctx context.Context) (err error) {
	name := m.rounds.row.Reader
	if name == readerNone {
		return nil
	}
	if name == readerFlume {
		m.reader, err = startFlumeReader(ctx, m)
		return err
	}
	m.runs++
	c, err := startChild(ctx, m.cfg.Spawn, tailSpec{
		Role: name, Fleet: m.fleet, Outcome: filepath.Join(m.dir, "seen"), State: filepath.Join(m.dir, "checkpoint"),
		Run: m.runs, Durable: m.cfg.Kill,
	})
	if err == nil {
		m.reader = c
	}
	return err
}

func (m *tailMeasurement) stopReader() error {
	if m.reader == nil {
		return nil
	}
	return m.reader.kill()
}

// watch runs the load and measures in the window.
func (m *tailMeasurement) watch(ctx context.Context) error {
	if _, err := m.writer.ask(doGo, 0); err != nil {
		return err
	}
	warm := m.cfg.Warm
	if m.rounds.row.Reader == readerFlume {
		warm = max(warm, flumeWarm)
	}
	if err := pass(ctx, warm); err != nil {
		return err
	}
	w0, r0, err := m.both(doBegin)
	if err != nil {
		return err
	}
	began := time.Now()
	killed, err := m.window(ctx)
	if err != nil {
		return err
	}
	seconds := time.Since(began).Seconds()
	w1, r1, err := m.both(doEnd)
	if err != nil {
		return err
	}
	r := m.rounds
	if n := w1.Lines - w0.Lines; n > 0 {
		r.writer = append(r.writer, float64((w1.CPU-w0.CPU).Microseconds())/float64(n))
	}
	if m.reader != nil && !killed {
		r.cpu = append(r.cpu, 100*(r1.CPU-r0.CPU).Seconds()/seconds)
		r.peak = append(r.peak, float64(r1.PeakBytes))
		r.p50 = append(r.p50, float64(r1.P50.Microseconds())/1e3)
		r.p99 = append(r.p99, float64(r1.P99.Microseconds())/1e3)
	}
	return nil
}

// window waits for the duration of the window; with Kill it kills the reader in between.
func (m *tailMeasurement) window(ctx context.Context) (killed bool, err error) {
	until := time.Now().Add(m.cfg.Window)
	if !m.cfg.Kill || !m.rounds.row.ours() {
		return false, pass(ctx, m.cfg.Window)
	}
	for {
		next := time.Duration(m.random.Int64N(int64(m.cfg.Window) / 4))
		if time.Now().Add(next).After(until) {
			return true, pass(ctx, time.Until(until))
		}
		if err := pass(ctx, next); err != nil {
			return true, err
		}
		if err := m.reader.kill(); err != nil {
			return true, err
		}
		m.rounds.row.Kills++
		if err := m.startReader(ctx); err != nil {
			return true, err
		}
	}
}

func (m *tailMeasurement) both(do string) (writer, reader tailReply, err error) {
	if writer, err = m.writer.ask(do, 0); err != nil || m.reader == nil {
		return writer, reader, err
	}
	reader, err = m.reader.ask(do, 0)
	return writer, reader, err
}

// check waits until the reader has finished, and compares what it delivered with what was written.
func (m *tailMeasurement) check(lines int64) error {
	if m.reader == nil {
		return nil
	}
	row := m.rounds.row
	if _, err := m.reader.ask(doDrain, lines); err != nil {
		return errors.Join(err, m.reader.kill())
	}
	stopped, err := m.reader.stop()
	if err != nil {
		return err
	}
	if row.Reader == readerFlume {
		row.Checked = checkedCount
		row.Checks = append(row.Checks, &fleet.Report{Lines: lines, Lost: max(lines-stopped.Lines, 0), Doubled: max(stopped.Lines-lines, 0)})
		return nil
	}
	ledger, err := fleet.ReadLedger(filepath.Join(m.dir, "ledger"))
	if err != nil {
		return err
	}
	if row.Reader == readerNxadm {
		text, err := os.ReadFile(filepath.Join(m.dir, "seen"))
		if err != nil {
			return err
		}
		var seen []*fleet.Seen
		if err := json.Unmarshal(text, &seen); err != nil {
			return err
		}
		row.Checked = checkedLines
		row.Checks = append(row.Checks, fleet.VerifySeen(ledger, seen))
		return nil
	}
	rows, err := fleet.ReadJournal(filepath.Join(m.dir, "seen"))
	if err != nil {
		return err
	}
	row.Checked = checkedBytes
	row.Checks = append(row.Checks, fleet.Verify(ledger, rows))
	return nil
}

// pass waits for d.
func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

package compare

import (
	"context"
	"os"
	"path/filepath"

	"sluice/bench/measure"
	"sluice/bench/peers"
)

// flumeReader is Flume's TAILDIR source as a tailReader. Only the number of lines can be checked.
type flumeReader struct {
	ctx   context.Context
	flume *peers.Flume
}

func startFlumeReader(ctx context.Context, m *tailMeasurement) (tailReader, error) {
	jars, err := peers.Jars(ctx, m.cfg.Peers)
	if err != nil {
		return nil, err
	}
	home := filepath.Join(m.dir, "flume")
	if err := os.Mkdir(home, 0o750); err != nil {
		return nil, err
	}
	f, err := peers.StartFlume(ctx, jars, m.fleet.Dir, home)
	if err != nil {
		return nil, err
	}
	return &flumeReader{ctx, f}, nil
}

func (f *flumeReader) ask(do string, lines int64) (r tailReply, err error) {
	if do == doDrain {
		if err := f.drain(lines); err != nil {
			return r, err
		}
	}
	if r.CPU, err = f.flume.CPU(); err != nil {
		return r, err
	}
	r.PeakBytes, err = measure.PeakBytes(f.flume.PID())
	return r, err
}

// drain waits until the given number of lines was taken, or no more arrive: Flume searches for new
// files every 5 s.
func (f *flumeReader) drain(lines int64) error {
	return awaitLines(f.ctx, lines, quietWhenDone, 2*quietWhenNot, func() (int64, error) { return f.flume.Taken(f.ctx) })
}

func (f *flumeReader) stop() (r tailReply, err error) {
	if r.Lines, err = f.flume.Taken(f.ctx); err != nil {
		return r, err
	}
	return r, f.flume.Stop()
}

func (f *flumeReader) kill() error { return f.flume.Stop() }

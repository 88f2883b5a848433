package governor

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Trace writes a Governor's decisions as CSV, one row for each step, to plot them.
type Trace struct {
	W      io.WriteCloser
	headed bool
	err    error
}

// row writes a step. After an error it writes nothing more.
func (t *Trace) row(now time.Time, level Level, bytesPerSecond, own, cores float64, readings []reading) {
	if !t.headed {
		t.headed = true
		_, t.err = fmt.Fprintln(t.W, "unix_seconds,level,bytes_per_second,cpu_share,budget_share,cpu_pressure,io_pressure,steal,throttled,load,cpu_use")
	}
	if t.err != nil {
		return
	}
	values := map[string]float64{}
	for _, r := range readings {
		values[r.name] = r.value
	}
	_, t.err = fmt.Fprintf(t.W, "%.3f,%s,%.0f,%.4f,%.4f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f\n", float64(now.UnixMilli())/1e3, level, bytesPerSecond, own, cores,
		values["cpu"], values["io"], values["steal"], values["throttled"], values["load"], values["use"])
}

// Close closes W and returns the first error of writing to it. A nil Trace returns nil.
func (t *Trace) Close() error {
	if t == nil {
		return nil
	}
	return errors.Join(t.err, t.W.Close())
}

package hdfs

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Trouble is an operation that is being retried: what, since when, how often, and the last error.
type Trouble struct {
	What     string
	Since    time.Time
	Attempts int
	Err      error
}

// troubles are the operations that are being retried.
type troubles struct {
	now func() time.Time
	log *slog.Logger

	mu   sync.Mutex
	open map[string]Trouble
}

func (t *troubles) note(what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, known := t.open[what]
	if !known {
		o = Trouble{What: what, Since: t.now()}
		t.log.Warn("archive operation failed, retrying", "operation", what, "err", err)
	}
	o.Attempts++
	o.Err = err
	t.open[what] = o
}

// over removes an operation that succeeded or was given up.
func (t *troubles) over(what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, known := t.open[what]
	if !known {
		return
	}
	delete(t.open, what)
	if err == nil {
		t.log.Info("archive operation recovered", "operation", what, "after", t.now().Sub(o.Since).Round(time.Millisecond), "attempts", o.Attempts)
	}
}

// Troubles returns the operations that are being retried, the oldest first.
func (a *Archive) Troubles() []Trouble {
	a.troubles.mu.Lock()
	defer a.troubles.mu.Unlock()
	var list []Trouble
	for _, o := range a.troubles.open {
		list = append(list, o)
	}
	slices.SortFunc(list, func(x, y Trouble) int {
		if c := x.Since.Compare(y.Since); c != 0 {
			return c
		}
		return strings.Compare(x.What, y.What)
	})
	return list
}

package region

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Trouble is something that is tried again: what, since when, how often, why.
type Trouble struct {
	// What is a server, host:port, or a thing that is looked for.
	What     string
	Since    time.Time
	Attempts int
	Err      error
}

// Troubles are those of a cluster at the moment: nothing is retried unseen. It is
// safe for concurrent use.
type Troubles struct {
	Now func() time.Time
	Log *slog.Logger

	mu   sync.Mutex
	open map[string]*Trouble
}

// Note notes a failed attempt.
func (t *Troubles) Note(what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = make(map[string]*Trouble)
	}
	o := t.open[what]
	if o == nil {
		o = &Trouble{What: what, Since: t.Now()}
		t.open[what] = o
		t.Log.Warn("hbase: trying again", "what", what, "why", err)
	}
	o.Attempts++
	o.Err = err
}

// Over notes that an attempt went well.
func (t *Troubles) Over(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.open[what]; o != nil {
		delete(t.open, what)
		t.Log.Info("hbase: it works again", "what", what, "after", t.Now().Sub(o.Since).Round(time.Millisecond), "attempts", o.Attempts)
	}
}

// List is what there is, the oldest first.
func (t *Troubles) List() []Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []Trouble
	for _, o := range t.open {
		list = append(list, *o)
	}
	slices.SortFunc(list, func(a, b Trouble) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.What, b.What))
	})
	return list
}

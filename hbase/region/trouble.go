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
	open map[string]*waited
}

// waited is a trouble and who waits: of a scan's ranges one may go on while another
// still waits for the same thing.
type waited struct {
	Trouble
	by map[any]bool
}

// Note notes a failed attempt of by, which is any pointer of its own. Over or GiveUp
// must follow.
func (t *Troubles) Note(what string, by any, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = make(map[string]*waited)
	}
	o := t.open[what]
	if o == nil {
		o = &waited{Trouble: Trouble{What: what, Since: t.Now()}, by: make(map[any]bool)}
		t.open[what] = o
		t.Log.Warn("HBase call failed, retrying", "operation", what, "err", err)
	}
	o.by[by] = true
	o.Attempts++
	o.Err = err
}

// Over notes that an attempt of by went well. The trouble is over when nobody else
// waits.
func (t *Troubles) Over(what string, by any) {
	if o := t.leave(what, by); o != nil {
		t.Log.Info("HBase call recovered", "operation", what, "after", t.Now().Sub(o.Since).Round(time.Millisecond), "attempts", o.Attempts)
	}
}

// GiveUp notes that by tries no more.
func (t *Troubles) GiveUp(what string, by any) { t.leave(what, by) }

// leave is the trouble if by was the last one that it had.
func (t *Troubles) leave(what string, by any) *waited {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.open[what]
	if o == nil || !o.by[by] {
		return nil
	}
	if delete(o.by, by); len(o.by) > 0 {
		return nil
	}
	delete(t.open, what)
	return o
}

// List is what there is, the oldest first.
func (t *Troubles) List() []Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []Trouble
	for _, o := range t.open {
		list = append(list, o.Trouble)
	}
	slices.SortFunc(list, func(a, b Trouble) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.What, b.What))
	})
	return list
}

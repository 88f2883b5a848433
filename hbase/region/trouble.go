package region

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Trouble is an operation that is being retried: what, since when, how often, and the last error.
type Trouble struct {
	// What is a server, host:port, or what is being located.
	What     string
	Since    time.Time
	Attempts int
	Err      error
}

// Troubles are the operations of a cluster that are being retried. It is safe for concurrent use.
type Troubles struct {
	Now func() time.Time
	Log *slog.Logger

	mu   sync.Mutex
	open map[string]*waited
}

// waited is a trouble and its waiters: of a scan's ranges one may continue while another still
// waits for the same server.
type waited struct {
	Trouble
	by map[any]bool
}

// Note records a failed attempt of by, any pointer that identifies the waiter. Over or GiveUp must
// follow.
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

// Over records a successful attempt of by. The trouble is over when it has no other waiter.
func (t *Troubles) Over(what string, by any) {
	if o := t.leave(what, by); o != nil {
		t.Log.Info("HBase call recovered", "operation", what, "after", t.Now().Sub(o.Since).Round(time.Millisecond), "attempts", o.Attempts)
	}
}

// GiveUp records that by stops retrying.
func (t *Troubles) GiveUp(what string, by any) { t.leave(what, by) }

// leave removes by, and returns the trouble if it was the last waiter.
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

// List returns the troubles, the oldest first.
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

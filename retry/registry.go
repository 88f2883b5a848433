package retry

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// State is an operation that is being retried: what, since when, how often, and the last error.
type State struct {
	What     string
	Since    time.Time
	Attempts int // that failed
	Err      error
}

// Registry has the operations that are being retried. It logs the first failure of an operation,
// and when the operation recovered. It is safe for concurrent use.
type Registry struct {
	// Of begins each operation's name in the log, such as "hbase".
	Of  string
	Now func() time.Time
	Log *slog.Logger

	mu   sync.Mutex
	open map[string]*waited
}

// waited is an operation and its waiters: of a scan's ranges one may continue while another still
// waits for the same server.
type waited struct {
	State
	by map[any]bool
}

// Failed records a failed attempt of by, a pointer that identifies the waiter, or nil if the
// operation has only one. Recovered or GiveUp must follow.
func (r *Registry) Failed(what string, by any, err error) {
	if r.note(what, by, err) {
		r.Log.Warn("operation failed, retrying", "operation", r.name(what), "err", err)
	}
}

// note reports whether this is the operation's first failure.
func (r *Registry) note(what string, by any, err error) (first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[string]*waited{}
	}
	o := r.open[what]
	if first = o == nil; first {
		o = &waited{State: State{What: what, Since: r.Now()}, by: map[any]bool{}}
		r.open[what] = o
	}
	o.by[by] = true
	o.Attempts++
	o.Err = err
	return first
}

// Recovered records a successful attempt of by. The operation is no longer retried if it has no
// other waiter; then, if it had failed, Recovered returns true.
func (r *Registry) Recovered(what string, by any) bool {
	o := r.leave(what, by)
	if o == nil {
		return false
	}
	r.Log.Info("operation recovered", "operation", r.name(what), "after", r.Now().Sub(o.Since).Round(time.Millisecond), "attempts", o.Attempts)
	return true
}

// GiveUp records that by stops retrying.
func (r *Registry) GiveUp(what string, by any) { r.leave(what, by) }

// leave removes by, and returns the operation if that was the last waiter.
func (r *Registry) leave(what string, by any) *waited {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.open[what]
	if o == nil || !o.by[by] {
		return nil
	}
	if delete(o.by, by); len(o.by) > 0 {
		return nil
	}
	delete(r.open, what)
	return o
}

func (r *Registry) name(what string) string {
	if r.Of == "" {
		return what
	}
	return r.Of + ": " + what
}

// List returns the operations, the one that failed first comes first.
func (r *Registry) List() []State {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []State
	for _, o := range r.open {
		list = append(list, o.State)
	}
	slices.SortFunc(list, func(a, b State) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.What, b.What))
	})
	return list
}

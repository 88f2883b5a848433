package checkpoint

import (
	"slices"
	"sync"
)

// ExpectedHosts are the hosts that are reported as missing when they are silent, because they send
// to this directory's collector and not to another one.
type ExpectedHosts struct {
	mu    *sync.Mutex // File.mu
	hosts []string    // sorted
}

// All returns the hosts. The slice belongs to the caller.
func (e *ExpectedHosts) All() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.hosts)
}

// Set sets whether a host is reported as missing when it is silent. It reports whether that changed
// and must be saved.
func (e *ExpectedHosts) Set(host string, expected bool) (changed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, known := slices.BinarySearch(e.hosts, host)
	switch {
	case expected && !known:
		e.hosts = slices.Insert(e.hosts, i, host)
	case !expected && known:
		e.hosts = slices.Delete(e.hosts, i, i+1)
	}
	return expected != known
}

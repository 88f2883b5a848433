package checkpoint

import "slices"

// Hosts returns the hosts that are reported as missing when they are silent, because they send to
// this directory's collector and not to another one. The slice belongs to the caller.
func (c *File) Hosts() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.doc.Hosts)
}

// Expect sets whether a host is reported as missing when it is silent. It reports whether that
// changed and must be saved.
func (c *File) Expect(host string, expected bool) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, known := slices.BinarySearch(c.doc.Hosts, host)
	switch {
	case expected && !known:
		c.doc.Hosts = slices.Insert(c.doc.Hosts, i, host)
	case !expected && known:
		c.doc.Hosts = slices.Delete(c.doc.Hosts, i, i+1)
	}
	return expected != known
}

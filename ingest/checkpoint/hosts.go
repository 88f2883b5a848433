package checkpoint

import "slices"

// Hosts are those that are missed when they are silent: they send to this folder's
// collector rather than to another one. A copy.
func (c *File) Hosts() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.doc.Hosts)
}

// Expect says whether a host is missed when it is silent; it reports whether that is
// new, and to be saved.
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

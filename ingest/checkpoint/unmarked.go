package checkpoint

import (
	"slices"
	"time"
)

// Directory is one of the archive that got files of this folder's, and is not
// marked as complete yet.
type Directory struct {
	Dir string `json:"dir"`
	// Start is a moment of its day, in the log's zone.
	Start time.Time `json:"start"`
}

// Unmarked are the directories that are to be marked, a copy.
func (c *File) Unmarked() []Directory {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.doc.Unmarked)
}

// AddUnmarked remembers a directory. Where it is known already the later Start
// counts: the day ends later in the west. It is saved with the next Save; until then
// the segment is in the spool.
func (c *File) AddUnmarked(d Directory) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.doc.Unmarked, func(o Directory) bool { return o.Dir == d.Dir })
	switch {
	case i < 0:
		c.doc.Unmarked = append(c.doc.Unmarked, d)
	case d.Start.After(c.doc.Unmarked[i].Start):
		c.doc.Unmarked[i] = d
	}
}

// RemoveUnmarked forgets a directory that is marked.
func (c *File) RemoveUnmarked(dir string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doc.Unmarked = slices.DeleteFunc(c.doc.Unmarked, func(d Directory) bool { return d.Dir == dir })
}

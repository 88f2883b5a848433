package checkpoint

import (
	"slices"
	"time"
)

// Directory is a directory of the archive that has files from this data directory, and is not
// marked as complete yet.
type Directory struct {
	Dir string `json:"dir"`
	// Start is a time within its day, in the log's time zone.
	Start time.Time `json:"start"`
}

// Unmarked returns the directories that must still be marked. The slice belongs to the caller.
func (c *File) Unmarked() []Directory {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.doc.Unmarked)
}

// AddUnmarked records a directory. If it is known already the later Start is kept, because a day
// ends later in western time zones. It is durable after the next Save; until then the segment is in
// the spool.
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

// RemoveUnmarked removes a directory that is marked.
func (c *File) RemoveUnmarked(dir string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doc.Unmarked = slices.DeleteFunc(c.doc.Unmarked, func(d Directory) bool { return d.Dir == dir })
}

package checkpoint

import (
	"slices"
	"sync"
	"time"
)

// Directory is a directory of the archive that has files from this data directory, and is not
// marked as complete yet.
type Directory struct {
	Dir string `json:"dir"`
	// Start is a time within its day, in the log's time zone.
	Start time.Time `json:"start"`
}

// Unmarked are the directories that must still be marked as complete.
type Unmarked struct {
	mu   *sync.Mutex // File.mu
	dirs []Directory
}

// All returns the directories that must still be marked. The slice belongs to the caller.
func (u *Unmarked) All() []Directory {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.dirs)
}

// Add records a directory. If it is known already the later Start is kept, because a day ends later
// in western time zones. It is durable after the next Save; until then the segment is in the spool.
func (u *Unmarked) Add(d Directory) {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := slices.IndexFunc(u.dirs, func(o Directory) bool { return o.Dir == d.Dir })
	switch {
	case i < 0:
		u.dirs = append(u.dirs, d)
	case d.Start.After(u.dirs[i].Start):
		u.dirs[i] = d
	}
}

// Remove removes a directory that is marked.
func (u *Unmarked) Remove(dir string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.dirs = slices.DeleteFunc(u.dirs, func(d Directory) bool { return d.Dir == dir })
}

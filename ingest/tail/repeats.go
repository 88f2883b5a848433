package tail

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"sluice/schema"
)

// Repeats are logs that do not continue what was received of them, and are read again as streams of
// their own. That happens if the host lost power: lines that were in its page cache only were
// received, and are missing in its log. The lines before them are then stored twice, under both
// streams. Where the two begin to differ is not known, so lines would be lost if the new stream
// began anywhere but at the last stored position. The methods may be called concurrently.
type Repeats struct {
	mu   sync.Mutex
	list []Repeat
}

// Repeat is a log that is read again. Path is as by schema.PathText.
type Repeat struct {
	Path  string    `json:"path"`
	Since time.Time `json:"since"`
}

// repeatFor is how long a Repeat is a warning: an operator has time to compare the lines.
const repeatFor = 24 * time.Hour

// Add adds a log that is read again from now on. Beyond maxNamed the oldest is removed.
func (r *Repeats) Add(path string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	path = schema.PathText(path)
	r.list = slices.DeleteFunc(r.list, func(x Repeat) bool { return x.Path == path })
	r.list = append(r.list, Repeat{path, now})
	r.list = r.list[max(0, len(r.list)-maxNamed):]
}

// recent returns the logs of the last day.
func (r *Repeats) recent(now time.Time) (recent []Repeat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.list {
		if now.Sub(x.Since) < repeatFor {
			recent = append(recent, x)
		}
	}
	return recent
}

// String describes the log for operators.
func (r Repeat) String() string {
	return fmt.Sprintf("%s does not continue what was received of it, as after a power failure of the host; it is read again as another log since %s, and lines may be stored twice", r.Path, r.Since.UTC().Format(time.RFC3339))
}

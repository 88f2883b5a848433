package agent

import (
	"fmt"
	"slices"
	"sync"

	"sluice/schema"
)

// disputes are what a collector and this agent do not agree about: streams that the collector
// rejects, positions that failed the check in accept.go, and logs of which the collector has other
// lines. They are kept longer than the session in which they occurred.
type disputes struct {
	mu      sync.Mutex
	refused map[schema.StreamID]string // streams that the collector rejects, with the reason
	skipped int64                      // bytes that were read of rejected streams
	// positions are messages about reported positions that failed the check.
	positions []string
	// lastContested is the last position at which the collector had other lines than the log.
	lastContested ending
	forked        bool // a log became another stream: all logs must be read again
}

// maxRejectedPositions is how many messages about failed checks are kept.
const maxRejectedPositions = 4

func newDisputes() *disputes { return &disputes{refused: map[schema.StreamID]string{}} }

// refuse records that the collector rejects a stream.
func (d *disputes) refuse(id schema.StreamID, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused[id] = why
}

// refuses reports whether the collector rejects a stream.
func (d *disputes) refuses(id schema.StreamID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.refused[id]
	return ok
}

// refusing reports whether the collector rejects any stream.
func (d *disputes) refusing() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.refused) > 0
}

// skip counts bytes of rejected streams, which are read and not sent.
func (d *disputes) skip(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.skipped += bytes
}

// fork records that a log became another stream.
func (d *disputes) fork() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forked = true
}

// readsAgain reports, at the start of a session, whether all logs must be read again because a
// stream was rejected, or because a log became another stream since the last call.
func (d *disputes) readsAgain() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	again := d.forked || len(d.refused) > 0
	d.forked = false
	return again
}

// offerAgain lets the streams that were rejected be read and sent again.
func (d *disputes) offerAgain() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.refused)
	d.skipped = 0
}

// contest records that the collector has other lines at a position. It reports whether this is not
// the position of the last call.
func (d *disputes) contest(at ending) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lastContested == at {
		return false
	}
	d.lastContested = at
	return true
}

// rejectPosition keeps a message about a position that failed the check, at most
// maxRejectedPositions of them. It reports whether the message is new.
func (d *disputes) rejectPosition(text string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.Contains(d.positions, text) {
		return false
	}
	d.positions = append(d.positions, text)
	d.positions = d.positions[max(0, len(d.positions)-maxRejectedPositions):]
	return true
}

// reasons returns why the collector rejects streams, by stream.
func (d *disputes) reasons() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	reasons := map[string]string{}
	for id, why := range d.refused {
		reasons[id.String()] = why
	}
	return reasons
}

// problems returns messages for the heartbeat, sorted, and how many bytes were read and not sent.
func (d *disputes) problems() (problems []string, skipped int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, why := range d.refused {
		problems = append(problems, fmt.Sprintf("the collector rejected stream %s: %s", id, why))
	}
	problems = append(problems, d.positions...)
	slices.Sort(problems)
	return problems, d.skipped
}

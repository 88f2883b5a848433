package agent

import (
	"slices"

	"sluice/schema"
)

// Rejected streams and positions that failed the check are kept longer than the session in which
// they occurred. All of it is guarded by Agent.mu.

// maxRejectedPositions is how many messages about failed checks are kept.
const maxRejectedPositions = 4

// noteRefused records that the collector rejects a stream. It reports whether that was known.
func (a *Agent) noteRefused(p *encodedBatch, why string) (known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, known = a.refused[p.stream.ID]
	a.refused[p.stream.ID] = why
	if !known {
		a.begin[p.stream.ID] = p.Start
	}
	return known
}

// refuses reports whether the collector rejects a stream.
func (a *Agent) refuses(id schema.StreamID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.refused[id]
	return ok
}

// refusing reports whether the collector rejects any stream.
func (a *Agent) refusing() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.refused) > 0
}

// skip counts bytes of rejected streams, which are read and not sent.
func (a *Agent) skip(bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.skipped += bytes
}

// noteForked records that a log became another stream.
func (a *Agent) noteForked() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forked = true
}

// readsAgain reports, at the start of a session, whether all logs must be read again because a
// stream was rejected, or because a log became another stream since the last call.
func (a *Agent) readsAgain() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	again := a.forked || len(a.refused) > 0
	a.forked = false
	return again
}

// noteContested records that the collector has other lines at a position. It reports whether this
// is not the position of the last call.
func (a *Agent) noteContested(at ending) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lastContested == at {
		return false
	}
	a.lastContested = at
	return true
}

// noteRejectedPosition keeps a message about a position that failed the check, at most maxRejectedPositions of
// them. It reports whether the message is new.
func (a *Agent) noteRejectedPosition(text string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.Contains(a.rejectedPositions, text) {
		return false
	}
	a.rejectedPositions = append(a.rejectedPositions, text)
	a.rejectedPositions = a.rejectedPositions[max(0, len(a.rejectedPositions)-maxRejectedPositions):]
	return true
}

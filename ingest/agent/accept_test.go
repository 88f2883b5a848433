package agent

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/ingest/protocol"
)

// A reported position is accepted only as far as it can be checked: not beyond what was sent, and
// not within a line. A rejected one is reported to the operator.
func TestAPositionIsAcceptedOnlyAsFarAsItCanBeChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, first, _ := agentOf(t, nil)
		defer n.close()
		s := n.stream(t)
		n.sending()
		n.put(t, s, 0, 500)
		synctest.Wait()
		for _, step := range []struct{ says, want int64 }{{405, 0}, {200, 200}, {510, 200}, {1 << 47, 200}, {250, 250}, {500, 500}} {
			first.set(func(f *far) {
				f.have[s.ID] = protocol.Position{Stream: s.ID, Received: max(500, step.says), Stored: step.says}
				f.tails[s.ID] = protocol.Tail{At: max(500, step.says)} // proves nothing
			})
			time.Sleep(2 * n.cfg.Heartbeat)
			first.set(func(f *far) { f.have[s.ID] = protocol.Position{Stream: s.ID, Received: 500} })
			time.Sleep(2 * n.cfg.Heartbeat)
			synctest.Wait()
			if got := n.stored(t, s.ID); got != step.want {
				t.Errorf("after a report of %d the checkpoint has %d, want %d", step.says, got, step.want)
			}
		}
		if h := n.Heartbeat(); len(h.Problems) == 0 || !strings.Contains(h.Problems[0], "the position is ignored") {
			t.Errorf("no problem in the heartbeat: %q", h.Problems)
		}
		first.whole(t, 0, 500)
	})
}

// A position in a welcome needs its fingerprint; without it everything is sent.
func TestAWelcomesPositionNeedsItsFingerprint(t *testing.T) {
	for _, test := range []struct {
		name     string
		position int64
		tail     string // bytes before position that the collector claims to have
		from     int64  // where the agent begins to send
		forks    bool
	}{
		{"it has what the log has", 400, putLine, 400, false},
		{"it shows nothing", 400, "", 0, false},
		{"it has another log's lines", 400, "876543210\n", 0, true},
		{"it has more than the log", 2000, putLine, 0, true},
		{"a position within a line", 405, "\n01234", 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, first, _ := agentOf(t, nil)
				defer n.close()
				s := n.stream(t)
				first.have[s.ID] = protocol.Position{Stream: s.ID, Received: test.position, Stored: test.position}
				first.tails[s.ID] = protocol.Tail{At: test.position}
				if test.tail != "" {
					first.tails[s.ID] = tailOf(s.ID, []byte(test.tail), test.position)
				}
				n.sending()
				time.Sleep(time.Second)
				streams := n.file.Streams()
				if forked := streams[0].ID != s.ID; len(streams) != 1 || forked != test.forks {
					t.Errorf("%d streams, forked: %v", len(streams), forked)
				}
				if at := n.reader.position(streams[0]); at != test.from {
					t.Errorf("sending begins at %d, want %d", at, test.from)
				}
			})
		})
	}
}

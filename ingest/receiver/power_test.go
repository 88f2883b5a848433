package receiver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A web host loses power: the collector has lines that the log does not have any more. All lines of
// the log arrive, and the agent reports that some may be stored twice.
func TestALogThatLostLinesInAPowerFailureIsReportedAndSentAgain(t *testing.T) {
	for name, saved := range map[string]bool{"the checkpoint was saved": true, "it was not saved": false} {
		t.Run(name, func(t *testing.T) {
			dir, logs := filepath.Join(t.TempDir(), "c1"), t.TempDir()
			c := collect(t, dir, "127.0.0.1:0", 0)
			log := filepath.Join(logs, "a.log")
			write(t, logs, "a.log", lines(0, 101))
			s := follow(t, logs, c.address)
			c.received(t, s, 101)
			s.end(t)
			if err := os.Truncate(log, int64(len(lines(0, 80)))); err != nil {
				t.Fatal(err)
			}
			if !saved {
				x := s.file.Streams()[0]
				s.file.Update(func() { x.TailAt, x.TailBytes, x.Tail, x.Marks, x.SeenBytes = 0, 0, "", nil, 0 })
				if err := s.file.Save(); err != nil {
					t.Fatal(err)
				}
			}
			write(t, logs, "a.log", lines(500, 10))
			s = follow(t, logs, c.address)
			await(t, "the warning and the lines", func() bool {
				return strings.Contains(strings.Join(s.Heartbeat().Problems, "\n"), "warning: [other] "+log+" does not continue what was received of it") && c.core.Counters.Lines.Load() == 101+80+10
			})
			s.end(t)
			c.end(t, false)
		})
	}
}

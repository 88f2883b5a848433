package agent

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestAFailingSaveStaysInTheStateWhenTheConnectionChanges: the operator must see it until a save
// succeeds.
func TestAFailingSaveStaysInTheStateWhenTheConnectionChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, first, _ := agentOf(t, nil)
		defer n.close()
		// A directory with a file in it cannot be replaced by the checkpoint.
		if err := os.MkdirAll(filepath.Join(n.path, "file"), 0o700); err != nil {
			t.Fatal(err)
		}
		n.saver.changed()
		n.sending()
		time.Sleep(3 * n.cfg.Heartbeat)
		before := n.State()
		if before.Unsaved == "" || before.UnsavedSince == nil || before.UnsavedAttempts < 2 {
			t.Fatalf("the save does not fail: %+v", before)
		}
		first.cut(false)
		time.Sleep(2 * maxPause)
		if hellos := first.hellos(); hellos != 2 {
			t.Fatalf("%d hellos", hellos)
		}
		if s := n.State(); !s.Connected || s.Unsaved != before.Unsaved || s.UnsavedSince == nil || !s.UnsavedSince.Equal(*before.UnsavedSince) {
			t.Errorf("after a reconnection: %+v, before: %+v", s, before)
		}
		if err := os.RemoveAll(n.path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * n.cfg.Heartbeat)
		if s := n.State(); s.Unsaved != "" || s.UnsavedSince != nil || s.UnsavedAttempts != 0 {
			t.Errorf("after a save that succeeded: %+v", s)
		}
	})
}

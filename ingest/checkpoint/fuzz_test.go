package checkpoint

import (
	"testing"

	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
)

// No bytes cause a panic, and what is accepted is written again unchanged.
func FuzzCheckpoint(f *testing.F) {
	fs := crashfs.New()
	c, err := Open(fs, "/checkpoint", "c1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"sluice":"checkpoint","version":1,"collector":"c1","seq":2,"streams":[{"ID":7,"Host":"web01","Stored":12}]}`))
	f.Add([]byte(`{"sluice":"checkpoint","version":2}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := c.decode(vfs.WithSum(body)); err != nil {
			return
		}
		for _, tracked := range c.streams.all {
			if tracked != nil && tracked.Stored < 0 {
				t.Errorf("stored is %d", tracked.Stored)
			}
		}
		if err := c.Save(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(fs, "/checkpoint", "c2"); err != nil {
			t.Errorf("what was written is not read: %v", err)
		}
	})
}

package checkpoint

import (
	"testing"

	"sluice/ingest/segment/vfs/crashfs"
)

func openLosses(t *testing.T, fsys *crashfs.FS) *File {
	t.Helper()
	c, err := Open(fsys, "/checkpoint", "a1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func saveLosses(t *testing.T, c *File) {
	t.Helper()
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
}

// TestAnAcknowledgementDoesNotCoverLaterLosses checks the numbers of losses over restarts, and
// after the checkpoint was lost.
func TestAnAcknowledgementDoesNotCoverLaterLosses(t *testing.T) {
	fsys := crashfs.New()
	c := openLosses(t, fsys)
	c.Losses.Add(Loss{Path: "a", Bytes: 3, AtUnix: 100})
	c.Losses.Add(Loss{Path: "b", Bytes: 4, AtUnix: 100})
	known := c.Losses.Count()
	if known.Files != 2 || known.Bytes != 7 || known.First != 100_000_000 || known.Last != 100_000_001 {
		t.Fatalf("%+v", known)
	}
	c.Losses.Add(Loss{Path: "c", Bytes: 5, AtUnix: 90}) // the clock was set back
	if got := c.Losses.Acknowledge(known.Last); len(got) != 2 || got[1].Path != "b" {
		t.Errorf("%+v", got)
	}
	saveLosses(t, c)
	c = openLosses(t, fsys)
	if got := c.Losses.Count(); got != (LossCount{1, 5, known.Last + 1, known.Last + 1}) {
		t.Errorf("%+v", got)
	}
	if got := c.Losses.Acknowledge(known.Last); len(got) > 0 {
		t.Errorf("the same acknowledgement again: %+v", got)
	}
	c.Losses.Acknowledge(known.Last + 1)
	saveLosses(t, c)
	c = openLosses(t, fsys)
	c.Losses.Add(Loss{Path: "d", AtUnix: 95})
	if got := c.Losses.Count(); got.First <= known.Last+1 || got.Files != 1 {
		t.Errorf("a number is used again after a restart: %+v", got)
	}
	c = openLosses(t, crashfs.New())
	c.Losses.Add(Loss{Path: "e", AtUnix: 101})
	if got := c.Losses.Acknowledge(known.Last); len(got) > 0 {
		t.Errorf("an acknowledgement for a lost checkpoint: %+v", got)
	}
}

// TestLossesOfAnOlderVersionGetNumbers: its checkpoint has none.
func TestLossesOfAnOlderVersionGetNumbers(t *testing.T) {
	fsys := crashfs.New()
	c := openLosses(t, fsys)
	for _, at := range []int64{100, 100, 200} {
		c.Losses.Add(Loss{Path: "a", Bytes: 1, AtUnix: at})
	}
	for i := range c.Losses.list {
		c.Losses.list[i].Number = 0
	}
	c.Losses.last = 0
	saveLosses(t, c)
	for range 2 { // the numbers are the same although they were not saved
		c = openLosses(t, fsys)
		if got := c.Losses.Count(); got != (LossCount{3, 3, 101_000_000, 201_000_000}) {
			t.Errorf("%+v", got)
		}
	}
}

// TestJoinedLossesAreAcknowledgedWithTheLatest: the number of losses in a checkpoint is limited.
func TestJoinedLossesAreAcknowledgedWithTheLatest(t *testing.T) {
	c := openLosses(t, crashfs.New())
	for range maxLosses + 2 {
		c.Losses.Add(Loss{Path: "a", Bytes: 1, AtUnix: 100})
	}
	const third = 100_000_002
	if got := c.Losses.Count(); got.Files != maxLosses+2 || got.Bytes != maxLosses+2 || got.First != third || len(c.Losses.All()) != maxLosses {
		t.Errorf("%+v", got)
	}
	if got := c.Losses.Acknowledge(third - 1); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	if got := c.Losses.Acknowledge(third); len(got) != 1 || got[0].Joined != 2 || got[0].Bytes != 3 {
		t.Errorf("%+v", got)
	}
}

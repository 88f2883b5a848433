package checkpoint

import (
	"path/filepath"
	"slices"
	"testing"

	"sluice/ingest/segment/vfs"
)

func TestHostsThatAreMissedAreRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	open := func() *File {
		t.Helper()
		c, err := Open(vfs.OS{}, path, "c1")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open()
	for _, step := range []struct {
		host              string
		expected, changed bool
	}{
		{"web02", true, true}, {"web01", true, true}, {"web02", true, false}, {"web03", false, false}, {"web04", true, true}, {"web04", false, true},
	} {
		if changed := c.Expected.Set(step.host, step.expected); changed != step.changed {
			t.Errorf("%+v: %v", step, changed)
		}
	}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	if got := open().Expected.All(); !slices.Equal(got, []string{"web01", "web02"}) {
		t.Errorf("%q", got)
	}
}

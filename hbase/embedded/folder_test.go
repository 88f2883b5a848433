package embedded

import (
	"errors"
	"testing"
)

func TestWhatAFolderHolds(t *testing.T) {
	for name, c := range map[string]struct {
		names []string
		store bool
		err   error
	}{
		"nothing":                   {nil, false, nil},
		"a store":                   {[]string{"LOCK", "MANIFEST-000001", "marker.manifest.000001.MANIFEST-000001"}, true, nil},
		"a store and a note":        {[]string{"README", "MANIFEST-000001", "marker.manifest.000001.MANIFEST-000001"}, true, nil},
		"a store being made":        {[]string{"LOCK", "MANIFEST-000001", "000002.log", "OPTIONS-000003", "000004.dbtmp"}, false, nil},
		"a marker without manifest": {[]string{"LOCK", "marker.manifest.000001.MANIFEST-000001"}, false, nil},
		"rows without manifest":     {[]string{"000004.sst", "marker.manifest.000001.MANIFEST-000001"}, true, nil},
		"photos":                    {[]string{"cat.jpg"}, false, ErrNotTable},
		"logs":                      {[]string{"access.log"}, false, ErrNotTable},
		"a dot file":                {[]string{".sst"}, false, ErrNotTable},
	} {
		if store, err := state(c.names); store != c.store || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v", name, store, err)
		}
	}
}

package parse_test

import (
	"strings"
	"testing"

	"sluice/parse"
	"sluice/schema"
)

// A stream's format has the stream's zone, and an error names the stream.
func TestOfStreamHasTheStreamsZone(t *testing.T) {
	s := schema.Stream{Host: "web01", Path: "/var/log/a.log", Format: "pattern:(?P<time>[^ ]+ [^ ]+)", Zone: "America/New_York"}
	known := parse.Formats{}
	for range 2 {
		f, err := known.Of(&s)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := known.Of(&s); err != nil || again != f {
			t.Errorf("compiled twice, or %v", err)
		}
	}
	if s.Zone = "Nowhere/Land"; len(known) != 1 {
		t.Errorf("%d formats are kept, want 1", len(known))
	}
	if _, err := known.Of(&s); err == nil || !strings.Contains(err.Error(), "/var/log/a.log of web01") {
		t.Errorf("a zone that does not exist: %v", err)
	}
	if s.Zone, s.Format = "", "%Q"; len(known) != 1 {
		t.Errorf("an error is kept")
	}
	if _, err := parse.OfStream(&s); err == nil || !strings.Contains(err.Error(), "/var/log/a.log of web01") {
		t.Errorf("a format that does not exist: %v", err)
	}
}

package monitor

import (
	"strings"
	"testing"
)

// TestVersionsThatDifferAreAWarning: an operator must learn of agents that were left behind, whether
// they are releases or development builds.
func TestVersionsThatDifferAreAWarning(t *testing.T) {
	const november, october, august = "v0.0.0-20261129133456-0123456789ab", "v0.0.0-20261031000000-bbbbbbbbbbbb", "v0.0.0-20260801000000-cccccccccccc"
	for _, test := range []struct{ theirs, ours, want string }{
		{"v1.4.2 aaa", "v1.4.2 aaa", ""},
		{"v1.4.2 aaa", "v1.5.0 bbb", ""},
		{"v1.3.9", "v1.5.0", "older"},
		{"v2.0.0", "v1.9.0", "newer"},
		{"v1.5.1-0.20261129133456-0123456789ab", "v1.4.0", ""},
		{november, november, ""},
		{november, october, ""},
		{november + " aaa", august + " ccc", "newer"},
		{august + "+dirty", november, "older"},
		{august, "v1.4.0", "another build"},
		{"v1.4.0", november, "another build"},
		{"devel", "devel", ""},
		{"devel aaa", "devel bbb", "another build"},
		{"devel", november, "another build"},
		{"v0.0.0-2026-abc", november, "another build"},
		{"", "v1.4.0", "another build"},
	} {
		h := Host{Agent: "sluice " + test.theirs}
		got := h.otherVersion(test.ours)
		if test.want == "" {
			if len(got) > 0 {
				t.Errorf("%q and %q: %v", test.theirs, test.ours, got)
			}
			continue
		}
		if len(got) != 1 || !strings.Contains(got[0].Text, "its agent is "+test.want+": version "+test.theirs+", this is "+test.ours) {
			t.Errorf("%q and %q: %v", test.theirs, test.ours, got)
		}
	}
	for _, agent := range []string{"", "Flume 0.1", "test"} {
		if h := (Host{Agent: agent}); len(h.otherVersion("v1.4.2")) > 0 {
			t.Errorf("%q is compared", agent)
		}
	}
}

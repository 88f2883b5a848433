package archive

import (
	"slices"
	"testing"
)

// TestPartitionsAreDirectoriesWithANameAndAValue: Hive finds partitions only if every directory is
// one.
func TestPartitionsAreDirectoriesWithANameAndAValue(t *testing.T) {
	for pattern, want := range map[string][]Partition{
		"/web/day=%Y%m%d/host=%{host}":                        {{"day", true}, {"host", false}},
		"/web/day=%Y-%m-%d/site=%{label:site}/host=h-%{host}": {{"day", false}, {"site", false}, {"host", false}},
		"/web/y=%Y/m=%m/d=%d/h=%H":                            {{"y", true}, {"m", true}, {"d", true}, {"h", true}},
		"/web/month=%b":                                       {{"month", false}},
		"/web/%Y%m%d/%{host}":                                 nil,
		"/web/day=%Y%m%d/%{host}":                             nil,
		"/web/%Y%m%d/host=%{host}":                            nil,
		"/web/%{host}=%Y":                                     nil,
		"/web/=%Y":                                            nil,
		"/web":                                                nil,
	} {
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := p.Partitions()
		if ok != (want != nil) || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %t, not %v", pattern, got, ok, want)
		}
	}
}

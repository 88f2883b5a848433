package main

import (
	"maps"
	"slices"
	"strings"

	"sluice/schema"
)

// labels are the values of --label NAME=VALUE.
type labels map[string]string

// match reports whether a stream has all of the labels.
func (l labels) match(of map[string]string) bool {
	for name, value := range l {
		if v, ok := of[name]; !ok || v != value {
			return false
		}
	}
	return true
}

// String returns NAME=VALUE of each label, sorted by name and separated by commas.
func (l labels) String() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(l)) {
		all = append(all, name+"="+l[name])
	}
	return strings.Join(all, ", ")
}

// ofLabels returns the streams of among that have all labels; among nil stands for all streams. It
// returns a usage error if no stream of the table has one of the labels, because a misspelled label
// would otherwise select nothing without a message.
func (e *entries) ofLabels(among []schema.StreamID, l labels) ([]schema.StreamID, error) {
	ids := []schema.StreamID{}
	missing := maps.Clone(l)
	known := map[string]bool{}
	for id, s := range e.streams {
		for name, value := range s.entry.Labels {
			if v, ok := missing[name]; ok && v == value {
				delete(missing, name)
			}
			known[name+"="+value] = true
		}
		if l.match(s.entry.Labels) && (among == nil || slices.Contains(among, id)) {
			ids = append(ids, id)
		}
	}
	if len(missing) > 0 {
		have := strings.Join(slices.Sorted(maps.Keys(known)), ", ")
		if have == "" {
			have = "no labels at all"
		}
		return nil, usage("--label %s: no log in the table has this label; the table has: %s", missing, have)
	}
	return ids, nil
}

package main

import (
	"slices"
	"testing"

	"github.com/alecthomas/kong"

	"sluice/schema"
)

// TestEveryLayoutFlagTakesEveryLayout checks that every flag for a layout accepts every layout that
// tables can have.
func TestEveryLayoutFlagTakesEveryLayout(t *testing.T) {
	flags := 0
	commands(grammar(t, &cli{}).Model.Node, func(n *kong.Node) {
		for _, f := range n.Flags {
			if f.Name != "layout" {
				continue
			}
			flags++
			for _, layout := range []string{schema.LayoutTyped, schema.LayoutPacked, schema.LayoutFlume} {
				if f.Enum != "" && !slices.Contains(f.EnumSlice(), layout) {
					t.Errorf("%s --layout does not take %s", n.Path(), layout)
				}
			}
		}
	})
	if flags < 4 { // run, collector, schema, doctor
		t.Errorf("%d flags, want those of run, collector, schema and doctor", flags)
	}
}

package tabletest

import (
	"testing"

	"sluice/schema"
)

// The table that other tests compare with keeps the contract, too.
func TestMemoryKeepsTheContract(t *testing.T) {
	Run(t, func(t *testing.T, layout schema.Layout) Table {
		m, err := NewMemory(&layout)
		if err != nil {
			t.Fatal(err)
		}
		return m
	})
}

// Package bench measures the speed of sluice on this machine: the parser, the table, the archive, a
// whole run, and queries. Machines differ and are shared, so every measurement has a reference that
// is measured in the same rounds; compare the ratios, not the absolute figures. Package
// bench/compare compares sluice with other programs.
package bench

import "sluice/bench/measure"

// Result is all measurements; nil: not measured.
type Result struct {
	Machine measure.Machine `json:"machine"`
	Log     LogSize         `json:"log"`
	Rounds  int             `json:"rounds"`
	Parse   *Parse          `json:"parse,omitempty"`
	Table   *Table          `json:"table,omitempty"`
	Archive *Archive        `json:"archive,omitempty"`
	Run     *Run            `json:"run,omitempty"`
	Query   *Query          `json:"query,omitempty"`
}

// LogSize is the log that was used.
type LogSize struct {
	Path  string `json:"path,omitempty"` // empty: the sample log
	Seed  uint64 `json:"seed,omitempty"`
	Lines int64  `json:"lines"`
	Bytes int64  `json:"bytes"`
}

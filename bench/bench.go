// Package bench measures how fast sluice is on the machine it runs on: the
// parser, the table, the archive, a whole run, and questions. Machines differ and are
// shared, so every measurement has something beside it that was measured in the
// same rounds, and it is the ratio that can be compared. Package bench/compare measures
// sluice beside other programs.
package bench

import "sluice/bench/measure"

// Result is everything that was measured; nil is what was not.
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

// LogSize is what was measured with.
type LogSize struct {
	Path  string `json:"path,omitempty"` // empty: the sample log
	Seed  uint64 `json:"seed,omitempty"`
	Lines int64  `json:"lines"`
	Bytes int64  `json:"bytes"`
}

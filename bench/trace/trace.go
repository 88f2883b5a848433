// Package trace reads and draws the decisions of a governor, from the CSV of ingest/governor.Trace.
package trace

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Step is a row of the trace. Shares are parts of one core; pressures are parts of the time,
// without the pressure that the agent itself causes.
type Step struct {
	At                            time.Time
	Level                         string
	BytesPerSecond                float64
	CPUShare, BudgetShare         float64
	CPUPressure, IOPressure       float64
	Steal, Throttled, LoadPerCore float64
	// CPUUse is the part of all CPUs that other processes use.
	CPUUse float64
}

// columns is the number of columns of the CSV.
const columns = 11

// Read reads a trace. A partial row at the end, left by a killed writer, is ignored.
func Read(r io.Reader) ([]Step, error) {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = -1
	head, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("read a trace: %w", err)
	}
	if len(head) != columns || head[0] != "unix_seconds" {
		return nil, fmt.Errorf("read a trace: %q is not its first line", head)
	}
	var steps []Step
	for {
		row, err := rows.Read()
		if err == io.EOF || err == nil && len(row) < columns {
			return steps, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read a trace: %w", err)
		}
		s, err := parseStep(row)
		if err != nil {
			return nil, fmt.Errorf("read a trace, line %d: %w", len(steps)+2, err)
		}
		steps = append(steps, s)
	}
}

func parseStep(row []string) (s Step, err error) {
	var seconds float64
	s.Level = row[1]
	into := []*float64{&seconds, nil, &s.BytesPerSecond, &s.CPUShare, &s.BudgetShare, &s.CPUPressure, &s.IOPressure, &s.Steal, &s.Throttled, &s.LoadPerCore, &s.CPUUse}
	for i, f := range into {
		if f == nil {
			continue
		}
		if *f, err = strconv.ParseFloat(row[i], 64); err != nil {
			return s, err
		}
	}
	s.At = time.UnixMilli(int64(seconds * 1e3))
	return s, nil
}

package query

import (
	"cmp"
	"math/big"
	"strconv"
)

// Report is the result: a row for each group.
type Report struct {
	// Columns are the names; the first Keys of them identify the group.
	Columns []string
	Keys    int
	Rows    []Row
	// Bar is the column to draw; -1 is none.
	Bar int
	// Approximate means that counts can be too high, by at most the row's excessColumn, and that
	// groups that are not listed can have up to Floor entries.
	Approximate bool
	Floor       int64
	// Estimated is the maximum relative error of columns that are not exact; for distinct values
	// the standard error.
	Estimated map[string]float64
}

// Row has a value for each column.
type Row []Value

// Value is a value of a report.
type Value struct {
	Text string
	Null bool
	// Number is true if Text is a number.
	Number bool

	high   int64 // a whole number, 128 bits
	low    uint64
	real   float64
	isReal bool
}

// intValue returns a value without Text.
func intValue(n int64) Value { return Value{Number: true, high: n >> 63, low: uint64(n)} }

// written returns the value with its Text.
func (v Value) written() Value {
	switch {
	case v.Text != "" || !v.Number:
	case v.isReal:
		v.Text = strconv.FormatFloat(v.real, 'f', -1, 64)
	case v.high == int64(v.low)>>63:
		v.Text = strconv.FormatInt(int64(v.low), 10)
	default:
		v.Text = wide(v.high, v.low).String()
	}
	return v
}

// wide is a number of 128 bits.
func wide(high int64, low uint64) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(high), 64)
	return n.Add(n, new(big.Int).SetUint64(low))
}

// Float returns the number, possibly rounded; 0 for anything else.
func (v Value) Float() float64 {
	if v.isReal {
		return v.real
	}
	return float64(v.high)*(1<<64) + float64(v.low)
}

// Whole reports whether the value is a whole number.
func (v Value) Whole() bool { return v.Number && !v.isReal }

// compare orders values: null, numbers by value, then texts.
func (v Value) compare(o Value) int {
	switch {
	case v.Null || o.Null:
		return cmp.Compare(rankOf(v), rankOf(o))
	case v.isReal || o.isReal:
		return cmp.Compare(v.Float(), o.Float())
	case v.Number && o.Number:
		return cmp.Or(cmp.Compare(v.high, o.high), cmp.Compare(v.low, o.low))
	case v.Number != o.Number:
		return cmp.Compare(rankOf(v), rankOf(o))
	}
	return cmp.Compare(v.Text, o.Text)
}

func rankOf(v Value) int {
	switch {
	case v.Null:
		return 0
	case v.Number:
		return 1
	}
	return 2
}

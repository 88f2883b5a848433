package query

import (
	"math/big"
	"math/bits"
)

// numbers is the sum, the minimum and the maximum of numbers. The zero value is that of no numbers.
type numbers struct {
	n        int64
	high     int64 // of the sum, 128 bits: no sum of a log's numbers overflows
	low      uint64
	min, max int64
}

func (s *numbers) add(v int64) {
	if s.n == 0 || v < s.min {
		s.min = v
	}
	if s.n == 0 || v > s.max {
		s.max = v
	}
	s.n++
	var carry uint64
	s.low, carry = bits.Add64(s.low, uint64(v), 0)
	s.high += v>>63 + int64(carry)
}

func (s *numbers) merge(o *numbers) {
	if o.n == 0 {
		return
	}
	if s.n == 0 {
		*s = *o
		return
	}
	s.n += o.n
	s.min, s.max = min(s.min, o.min), max(s.max, o.max)
	var carry uint64
	s.low, carry = bits.Add64(s.low, o.low, 0)
	s.high += o.high + int64(carry)
}

func (s *numbers) sum() Value {
	return Value{Null: s.n == 0, Number: s.n > 0, high: s.high, low: s.low}
}

func (s *numbers) avg() Value {
	if s.n == 0 {
		return Value{Null: true}
	}
	avg, _ := new(big.Rat).SetFrac(wide(s.high, s.low), big.NewInt(s.n)).Float64()
	return Value{Number: true, real: avg, isReal: true}
}

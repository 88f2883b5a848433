package query

import (
	"hash/maphash"
	"math"
	"math/bits"
)

// DistinctError is the standard error of an estimated number of distinct values.
const DistinctError = 0.0081

const (
	registerBits  = 14
	registerCount = 1 << registerBits
)

// distinct counts different values by their hashes. Up to a limit it keeps the hashes, and is exact
// except for two values with the same 64-bit hash. Beyond that it is a HyperLogLog sketch (Flajolet
// et al. 2007) with Ertl's estimator (2017), which is unbiased for all numbers. Which of the two
// depends on the values only, not on their order.
type distinct struct {
	exact     int      // how many hashes are kept
	n         int      // hashes in the table
	table     []uint64 // open addressing; 0 is empty
	registers []uint8
}

// hashText hashes a value. The seed is random for each process, so that writers of a log cannot
// choose hashes.
func hashText(seed maphash.Seed, text []byte) uint64 {
	return max(maphash.Bytes(seed, text), 1) // 0 is an empty place
}

// add returns the growth of the memory in bytes.
func (d *distinct) add(hash uint64) (grown int) {
	if d.registers != nil {
		d.register(hash)
		return 0
	}
	if 2*(d.n+1) > len(d.table) {
		grown = d.grow()
	}
	if !d.insert(hash) {
		return grown
	}
	if d.n++; d.n > d.exact {
		grown += d.spill()
	}
	return grown
}

// insert reports whether the hash is new.
func (d *distinct) insert(hash uint64) bool {
	mask := uint64(len(d.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch d.table[i] {
		case 0:
			d.table[i] = hash
			return true
		case hash:
			return false
		}
	}
}

func (d *distinct) grow() (grown int) {
	old := d.table
	d.table = make([]uint64, max(2*len(old), 16))
	for _, hash := range old {
		if hash != 0 {
			d.insert(hash)
		}
	}
	return 8 * (len(d.table) - len(old))
}

func (d *distinct) spill() (grown int) {
	grown = registerCount - 8*len(d.table)
	d.registers = make([]uint8, registerCount)
	for _, hash := range d.table {
		if hash != 0 {
			d.register(hash)
		}
	}
	d.table = nil
	return grown
}

func (d *distinct) register(hash uint64) {
	i := hash >> (64 - registerBits)
	rank := uint8(bits.LeadingZeros64(hash<<registerBits|1<<(registerBits-1)) + 1)
	d.registers[i] = max(d.registers[i], rank)
}

// merge adds the values of o.
func (d *distinct) merge(o *distinct) (grown int) {
	for _, hash := range o.table {
		if hash != 0 {
			grown += d.add(hash)
		}
	}
	if o.registers == nil {
		return grown
	}
	if d.registers == nil {
		grown += d.spill()
	}
	for i, rank := range o.registers {
		d.registers[i] = max(d.registers[i], rank)
	}
	return grown
}

// count returns the number of different values, and whether it is estimated.
func (d *distinct) count() (n int64, estimated bool) {
	if d.registers == nil {
		return int64(d.n), false
	}
	const q = 64 - registerBits
	var counts [q + 2]float64
	for _, rank := range d.registers {
		counts[rank]++
	}
	const m = registerCount
	z := m * tau(1-counts[q+1]/m)
	for k := q; k >= 1; k-- {
		z = 0.5 * (z + counts[k])
	}
	z += m * sigma(counts[0]/m)
	return int64(math.Round(m * m / (2 * math.Ln2) / z)), true
}

// sigma and tau are those of Ertl's "New cardinality estimation algorithms for HyperLogLog
// sketches", algorithm 6.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += x * y
		y += y
		if z == before {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == before {
			return z / 3
		}
	}
}

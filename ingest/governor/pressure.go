package governor

import (
	"fmt"
	"math"
)

// signal is one thing that the kernel tells of the host, between a mark from
// which reading is slowed and one at which it is slowed as far as it goes.
type signal struct {
	name      string
	low, high float64
	pauses    bool // at high, reading stops
	text      string
}

// The marks. PSI's "some" of a busy but well host stays below a third; from four
// fifths on there is hardly a moment in which nobody waits. A host steals or
// throttles nothing when all is well.
var ( // immutable
	cpuSignal = signal{"cpu", 0.30, 0.80, false, "others wait for the CPU %.0f %% of the time"}
	// The kernel counts PSI every two seconds at most; ticks are there at once.
	useSignal      = signal{"use", 0.90, 0.98, false, "others use %.0f %% of all CPUs"}
	loadSignal     = signal{"load", 0.70, 1.50, false, "%.2f threads a core want to run"}
	stealSignal    = signal{"steal", 0.10, 0.50, false, "the hypervisor takes %.0f %% of the CPU"}
	ioSignal       = signal{"io", 0.20, 0.60, true, "all wait for disks %.0f %% of the time"}
	throttleSignal = signal{"throttled", 0.05, 0.50, true, "the kernel stops our control group in %.0f %% of its periods"}
)

// reading is a signal's present value.
type reading struct {
	signal
	value float64
}

// severity is 0 below the low mark and 1 from the high mark on.
func (r reading) severity() float64 {
	return min(max((r.value-r.low)/(r.high-r.low), 0), 1)
}

func (r reading) String() string {
	if r.name == loadSignal.name {
		return fmt.Sprintf(r.text, r.value)
	}
	return fmt.Sprintf(r.text, r.value*100)
}

// readings are the signals that this host has.
func (h *host) readings(into []reading) []reading {
	part := h.othersCPU()
	if h.psiCPU.known {
		into = append(into, reading{cpuSignal, h.psiCPU.rate[0] / 1e6 * part})
	} else if !h.loadAt.IsZero() {
		into = append(into, reading{loadSignal, h.load})
	}
	if h.stat.known && h.stat.rate[0] > 0 {
		into = append(into, reading{useSignal, (h.stat.rate[0] - h.stat.rate[1]) / h.stat.rate[0] * part})
		into = append(into, reading{stealSignal, h.stat.rate[2] / h.stat.rate[0]})
	}
	if h.psiIO.known {
		into = append(into, reading{ioSignal, h.psiIO.rate[1] / 1e6 * h.othersIO()})
	}
	if h.throttling.known && h.throttling.rate[0] > 0 {
		into = append(into, reading{throttleSignal, h.throttling.rate[1] / h.throttling.rate[0] * h.othersInGroup()})
	}
	return into
}

// othersCPU is the part of the CPU time in use that is not ours.
func (h *host) othersCPU() float64 {
	if !h.stat.known || h.stat.rate[0] <= 0 {
		return 1
	}
	busy := (h.stat.rate[0] - h.stat.rate[1]) / h.stat.rate[0] * h.cores
	return othersPart(busy, h.own)
}

// othersIO is the part of the bytes that disks moved that is not ours.
func (h *host) othersIO() float64 {
	if !h.disks.known || !h.ownDisks.known {
		return 1
	}
	return othersPart(h.disks.rate[0], h.ownDisks.rate[0])
}

// othersInGroup is the part of the cgroup's CPU time that is not ours: a group
// that only we are in is throttled by us, and the limit bounds the budget.
func (h *host) othersInGroup() float64 {
	if h.throttling.rate[2] <= 0 {
		return 1
	}
	return othersPart(h.throttling.rate[2]/1e6, h.own)
}

func othersPart(all, own float64) float64 {
	if all <= 0 {
		return 0
	}
	return min(max((all-own)/all, 0), 1)
}

// limitCores is the cgroup's limit in cores, +Inf where there is none.
func (h *host) limitCores() float64 {
	if h.limit.cores == 0 {
		return math.Inf(1)
	}
	return h.limit.cores
}

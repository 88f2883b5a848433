package governor

import (
	"fmt"
	"math"
)

// signal is one of the kernel's statistics, with the value from which reading is slowed, and the
// value at which it is slowed as much as possible.
type signal struct {
	name      string
	low, high float64
	pauses    bool // at high, reading stops
	text      string
}

// The limits: PSI's "some" of a busy but healthy host stays below a third; from four fifths on some
// process waits almost always. Without a problem nothing is stolen or throttled.
var ( // never changed
	cpuSignal = signal{"cpu", 0.30, 0.80, false, "others wait for the CPU %.0f %% of the time"}
	// The kernel updates PSI at most every two seconds; ticks are current.
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

// severity returns 0 below the low limit and 1 from the high one on.
func (r reading) severity() float64 {
	return min(max((r.value-r.low)/(r.high-r.low), 0), 1)
}

func (r reading) String() string {
	if r.name == loadSignal.name {
		return fmt.Sprintf(r.text, r.value)
	}
	return fmt.Sprintf(r.text, r.value*100)
}

// readings returns the signals that this host has.
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

// othersCPU returns the share of other processes in the used CPU time.
func (h *host) othersCPU() float64 {
	if !h.stat.known || h.stat.rate[0] <= 0 {
		return 1
	}
	busy := (h.stat.rate[0] - h.stat.rate[1]) / h.stat.rate[0] * h.cores
	return othersPart(busy, h.own)
}

// othersIO returns the share of other processes in the bytes that disks transferred.
func (h *host) othersIO() float64 {
	if !h.disks.known || !h.ownDisks.known {
		return 1
	}
	return othersPart(h.disks.rate[0], h.ownDisks.rate[0])
}

// othersInGroup returns the share of other processes in the cgroup's CPU time. A group that
// contains only this process is throttled by it, and limitCores limits the budget then.
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

// limitCores returns the cgroup's limit in cores, or +Inf if there is none.
func (h *host) limitCores() float64 {
	if h.limit.cores == 0 {
		return math.Inf(1)
	}
	return h.limit.cores
}

package governor

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// The parsers accept what the kernel wrote, cut at maxFileBytes, and return ok false for anything
// else, never a partial result.

// psiTotals parses /proc/pressure/*: the µs in which some, and in which all, tasks waited (kernel
// doc accounting/psi). Before Linux 5.13 cpu has no line "full".
func psiTotals(b []byte) (c counts, ok bool) {
	some, ok := psiTotal(b, "some ")
	full, _ := psiTotal(b, "full ")
	return counts{some, full}, ok
}

func psiTotal(b []byte, kind string) (uint64, bool) {
	line, found := lineWith(b, kind)
	_, total, hasTotal := bytes.Cut(line, []byte("total="))
	if !found || !hasTotal {
		return 0, false
	}
	return number(bytes.TrimSpace(total))
}

// cpuTicks parses the first line of /proc/stat: all ticks, idle ones (including waiting for the
// disk) and stolen ones (proc_stat(5)). A guest's time is already included in user.
func cpuTicks(b []byte) (c counts, ok bool) {
	line, found := lineWith(b, "cpu ")
	var ticks [8]uint64 // user nice system idle iowait irq softirq steal
	n := 0
	for field := range bytes.FieldsSeq(line) {
		if n == len(ticks) {
			break
		}
		v, ok := number(field)
		if !ok || v > math.MaxUint64/16 {
			return counts{}, false
		}
		ticks[n] = v
		n++
	}
	var total uint64
	for _, v := range ticks {
		total += v
	}
	return counts{total, ticks[3] + ticks[4], ticks[7]}, found && n >= 4
}

// diskBytes parses /proc/vmstat: bytes read from and written to disks.
func diskBytes(b []byte) (c counts, ok bool) {
	in, ok1 := value(b, "pgpgin ") // KiB
	out, ok2 := value(b, "pgpgout ")
	if !ok1 || !ok2 || in > math.MaxUint64>>12 || out > math.MaxUint64>>12 {
		return counts{}, false
	}
	return counts{(in + out) << 10}, true
}

// ownDiskBytes parses /proc/self/io: the part of diskBytes for this process (proc_pid_io(5)).
func ownDiskBytes(b []byte) (c counts, ok bool) {
	in, ok1 := value(b, "read_bytes:")
	out, ok2 := value(b, "write_bytes:")
	return counts{in + out}, ok1 && ok2
}

// throttled parses a cgroup's cpu.stat: its periods, in how many of them the group was stopped
// because its quota was used up, and the microseconds of CPU that it used, which version 1 does not
// have here.
func throttled(b []byte) (c counts, ok bool) {
	periods, ok := value(b, "nr_periods ")
	stopped, ok2 := value(b, "nr_throttled ")
	used, _ := value(b, "usage_usec ")
	return counts{periods, stopped, used}, ok && ok2
}

// loadNow parses /proc/loadavg: the number of runnable threads, including the one that reads.
func loadNow(b []byte) (running float64, ok bool) {
	f := bytes.Fields(b)
	if len(f) < 4 {
		return 0, false
	}
	now, _, slash := bytes.Cut(f[3], []byte("/"))
	n, isNumber := number(now)
	if !slash || !isNumber || n > 1e6 {
		return 0, false
	}
	return float64(n), true
}

// cpuCount counts the CPUs of a list such as 0-3,8 (/sys/devices/system/cpu/online).
func cpuCount(b []byte) (n int, ok bool) {
	for part := range strings.SplitSeq(strings.TrimSpace(string(b)), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err1 != nil || err2 != nil || to < from {
			return 0, false
		}
		n += int(to-from) + 1
	}
	return n, true
}

// cpuMax parses cgroup v2's cpu.max, "QUOTA PERIOD" in µs; ok is false for the quota "max", which
// is no limit.
func cpuMax(b []byte) (l limit, ok bool) {
	quota, period, _ := bytes.Cut(bytes.TrimSpace(b), []byte(" "))
	return newLimit(quota, period)
}

// newLimit returns the limit of a quota and a period in µs; version 1 writes -1 for no quota. The
// kernel permits periods from 1 ms to 1 s.
func newLimit(quota, period []byte) (l limit, ok bool) {
	q, ok1 := number(quota)
	p, ok2 := number(period)
	if !ok1 || !ok2 || q == 0 || p < 1000 || p > 1e6 {
		return limit{}, false
	}
	return limit{cores: float64(q) / float64(p)}, true
}

// cgroupPaths parses /proc/self/cgroup: the group of the cpu controller in a version 1 hierarchy,
// and the group in version 2; "" if there is none.
func cgroupPaths(b []byte) (v1, v2 string) {
	for line := range bytes.Lines(b) {
		f := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		switch {
		case len(f) != 3 || !strings.HasPrefix(f[2], "/"):
		case f[0] == "0" && f[1] == "":
			v2 = f[2]
		default:
			for controller := range strings.SplitSeq(f[1], ",") {
				if controller == "cpu" {
					v1 = f[2]
				}
			}
		}
	}
	return v1, v2
}

// value returns the number after key in the line that begins with key.
func value(b []byte, key string) (uint64, bool) {
	line, found := lineWith(b, key)
	n, ok := number(bytes.TrimSpace(line))
	return n, found && ok
}

// lineWith returns what follows prefix in the line that begins with it.
func lineWith(b []byte, prefix string) ([]byte, bool) {
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(prefix)); ok {
			return bytes.TrimSuffix(rest, []byte("\n")), true
		}
	}
	return nil, false
}

// number is strconv.ParseUint without a copy of b.
func number(b []byte) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 19 { // 19 digits do not overflow
		return 0, false
	}
	for _, d := range b {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + uint64(d-'0')
	}
	return n, true
}

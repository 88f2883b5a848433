package governor

import (
	"bytes"
	"path"
	"time"
)

const (
	// limitAge is how long a limit is used before it is read again, because operators can change
	// it.
	limitAge = 10 * time.Second
	// limitPart is the part of the cgroup's limit that is used at most. With the whole of it the
	// kernel would stop this process, and all others in the group, for the rest of a period.
	limitPart = 0.8
	// maxGroupDepth limits the number of parent groups.
	maxGroupDepth = 32
)

// limit is the CPU that a cgroup may use; the zero value means no limit.
type limit struct {
	cores float64
	dir   string // the group that has it, below the root
}

// findLimit finds the limit that applies: the lowest from this process's group to the root. In a
// container the group's files may be at the mount's root, below it, or missing; missing ones are
// skipped.
func (h *host) findLimit(now time.Time) {
	h.limitAt = now
	var found limit
	if b, err := h.read("proc/self/cgroup"); err == nil {
		v1, v2 := cgroupPaths(b)
		if v1 != "" {
			h.tightest(&found, "sys/fs/cgroup/cpu", v1, h.quotaV1)
			h.tightest(&found, "sys/fs/cgroup/cpu,cpuacct", v1, h.quotaV1)
		} else if v2 != "" {
			h.tightest(&found, "sys/fs/cgroup", v2, h.quotaV2)
		}
	}
	if found.dir != h.limit.dir {
		h.throttling = counters{path: path.Join(found.dir, "cpu.stat"), parse: throttled}
	}
	h.limit = found
}

func (h *host) tightest(found *limit, mount, group string, quota func(dir string) (limit, bool)) {
	group = path.Clean("/" + group) // a group above the namespace's root is shown as /..
	for range maxGroupDepth {
		dir := path.Join(mount, group)
		if l, ok := quota(dir); ok && (found.cores == 0 || l.cores < found.cores) {
			l.dir = dir
			*found = l
		}
		if group == "/" {
			return
		}
		group = path.Dir(group)
	}
}

// quotaV2 reads a quota as in the kernel's admin-guide/cgroup-v2, cpu.max.
func (h *host) quotaV2(dir string) (limit, bool) {
	b, err := h.read(path.Join(dir, "cpu.max"))
	if err != nil {
		return limit{}, false
	}
	return cpuMax(b)
}

// quotaV1 reads a quota as in the kernel's scheduler/sched-bwc.
func (h *host) quotaV1(dir string) (limit, bool) {
	b, err := h.read(path.Join(dir, "cpu.cfs_quota_us"))
	if err != nil {
		return limit{}, false
	}
	quota := bytes.Clone(bytes.TrimSpace(b)) // the next read overwrites b
	if b, err = h.read(path.Join(dir, "cpu.cfs_period_us")); err != nil {
		return limit{}, false
	}
	return newLimit(quota, bytes.TrimSpace(b))
}

package governor

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The group's limit limits the budget in both versions of cgroups, and a group that is throttled
// all the time pauses reading.
func TestTheGroupsLimitBoundsTheBudget(t *testing.T) {
	tests := []struct {
		version string
		limit   map[string]string
		stat    string
		counts  string
	}{
		{"v1", map[string]string{
			"proc/self/cgroup":                         "5:memory:/\n4:cpu,cpuacct:/web/agent\n",
			"sys/fs/cgroup/cpu/web/cpu.cfs_quota_us":   "10000\n",
			"sys/fs/cgroup/cpu/web/cpu.cfs_period_us":  "100000\n",
			"sys/fs/cgroup/cpu/web/agent/cpu.shares":   "1024\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":       "-1\n",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us":      "100000\n",
			"sys/fs/cgroup/cpu/web/agent/cgroup.procs": "1\n",
		}, "sys/fs/cgroup/cpu/web/cpu.stat", "nr_periods %[1]d\nnr_throttled %[2]d\nthrottled_time 0\n"},
		{"v2", map[string]string{
			"proc/self/cgroup":                   "0::/web.slice/agent.service\n",
			"sys/fs/cgroup/web.slice/cpu.max":    "10000 100000\n",
			"sys/fs/cgroup/web.slice/agent/none": "",
		}, "sys/fs/cgroup/web.slice/cpu.stat", "usage_usec %[3]d\nuser_usec 0\nsystem_usec 0\nnr_periods %[1]d\nnr_throttled %[2]d\nthrottled_usec 0\n"},
	}
	for _, tt := range tests {
		t.Run(tt.version, func(t *testing.T) {
			p := newPlant(t, Config{CPUShare: 0.5})
			for name, text := range tt.limit {
				p.write(name, text)
			}
			periods, throttled, usage, stopping := 0, 0, 0, 0
			tick := func() {
				periods++
				throttled += stopping
				usage += 100_000 // another process in the group uses a core
				p.write(tt.stat, fmt.Sprintf(tt.counts, periods, throttled, usage))
			}
			p.run(20*time.Second, 1<<30, tick) // the limit is read every ten seconds
			used := p.used
			p.run(time.Minute, 1<<30, tick)
			if share := (p.used - used).Seconds() / 60; share > 0.088 || share < 0.06 {
				t.Errorf("%.1f %% of a core were used, four fifths of the group's limit are 8 %%", share*100)
			}
			stopping = 1
			p.run(2*time.Second, 1<<30, tick)
			if s := p.g.State(); s.Level != Paused || !strings.Contains(s.Reason, "control group") {
				t.Errorf("stopped in every period: %+v", s)
			}
			p.others, p.waiting = 2, 1 // equally severe, and does not stop reading by itself
			p.run(2*time.Second, 1<<30, tick)
			if s := p.g.State(); s.Level != Paused || !strings.Contains(s.Reason, "control group") {
				t.Errorf("stopped in every period, and others use all CPUs: %+v", s)
			}
			stopping, p.others, p.waiting = 0, 0, 0
			p.run(15*time.Second, 1_000, tick)
			if s := p.g.State(); s.Level != Full {
				t.Errorf("not stopped any more: %+v", s)
			}
		})
	}
}

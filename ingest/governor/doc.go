// Package governor decides how many bytes a second an agent may read, so that
// the web server beside it does not notice.
//
// Three things limit reading. The budget ([budget]): CPU seconds that fill a
// bucket at the rate that the operator allows, and that everything this process
// does is drawn from. The host's pressure ([pressure]): what the kernel counts
// about others who wait for CPU and disk; it takes a part of the budget away, and
// the worst of it all. And orders from downstream ([Governor.SetBusy]).
//
// One rule keeps the governor from running away from its own shadow: a pressure
// counts only as far as others cause it. An agent at nice 19 waits for the CPU
// whenever somebody else runs, and one that reads a cold log waits for the disk;
// the kernel counts both as pressure. So each signal is multiplied by the part
// that others have in the use of the resource: in the CPU time, in the bytes
// that disks moved, in the cgroup's CPU time. An agent that is alone on a host
// is never slowed down by itself; one beside a busy server sees the pressure as it
// is. What was rejected: subtracting our own waiting (it hides theirs, as both
// wait at the same time), smoothing alone (reading slows, the pressure falls,
// reading resumes: it oscillates, only slower), and the ratio of what we got to
// what we wanted (at nice 19 it says that somebody runs, not that he is hurt).
//
// The files under /proc are read here, not with prometheus/procfs. Its version
// 0.23 takes 18 µs and 5 KB of garbage for one pressure file and 43 µs and 25 KB
// for /proc/stat of two cores, growing with each core, where this takes 6 and 10
// and no garbage; it does not tell loadavg's count of what runs now. What is read
// in one step takes some 60 µs, every 500 ms, and only while somebody asks.
package governor

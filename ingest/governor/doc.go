// Package governor limits how many bytes a second an agent may read, so that the web server on the
// same host is not affected.
//
// Two things limit reading: the budget ([budget]), CPU seconds that fill a bucket at the configured
// rate and from which everything that this process uses is drawn; and the host's pressure
// ([pressure]), the kernel's measure of other processes that wait for CPU and disk, which reduces
// the budget and stops reading if it is severe.
//
// A pressure counts only as far as other processes cause it. An agent at nice 19 waits for the CPU
// whenever another process runs, and one that reads a cold log waits for the disk; the kernel
// counts both as pressure. Therefore each signal is multiplied by the share of other processes in
// the use of the resource: in the CPU time, in the bytes that disks transferred, in the cgroup's
// CPU time. An agent that is alone on a host is never slowed down by itself; one beside a busy
// server gets the whole pressure. These were rejected: subtracting the agent's own waiting (it
// hides the waiting of others, because both wait at the same time), smoothing alone (reading slows,
// the pressure falls, reading resumes: it oscillates more slowly), and the ratio of obtained to
// requested CPU time (at nice 19 it shows that other processes run, not that they are affected).
//
// The files under /proc are read here and not with prometheus/procfs. Its version 0.23 takes 18 µs
// and 5 KB of garbage for one pressure file, and 43 µs and 25 KB for /proc/stat of two cores,
// growing with each core; this package takes 6 and 10 µs and makes no garbage. It also does not
// return loadavg's number of running threads. One step reads for about 60 µs, every 500 ms, and
// only while Allow is called.
package governor

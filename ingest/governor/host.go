package governor

import (
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

const (
	// maxFileBytes is the limit of what is read of a file; /proc/vmstat has 4 KiB.
	maxFileBytes = 16 << 10
	// minSample is the shortest time between two readings, because counters have ticks of 10 ms.
	minSample = 200 * time.Millisecond
	// costPart limits the time for one file to one part in so many. /proc/stat and vmstat are made
	// from counters of every core and interrupt, which takes a millisecond on large machines. They
	// are then read less often, but at least every maxSamplePause, so that reading is slowed soon
	// enough.
	costPart       = 2000
	maxSamplePause = 1500 * time.Millisecond
	// loadMemory is the time over which the number of runnable threads is averaged, because single
	// values are noise.
	loadMemory = time.Second
)

// counts are the counters of one file, in the file's units.
type counts [3]uint64

// counters is a file of counters that only increase, and their rates.
type counters struct {
	path   string
	parse  func([]byte) (counts, bool)
	at     time.Time // when it was read last; zero: not yet
	last   counts
	next   time.Time
	rate   [3]float64 // a second, between the last two readings
	known  bool       // rate is valid
	absent bool       // it was logged that the file is missing
}

// host reads the kernel's statistics of the machine and of this process's cgroup.
type host struct {
	root  string
	now   func() time.Time
	log   *slog.Logger
	cores float64

	psiCPU, psiIO, stat, disks, ownDisks, throttling counters

	load       float64 // runnable threads of other processes for each core, smoothed
	loadAt     time.Time
	loadAbsent bool

	limit   limit
	limitAt time.Time

	own float64 // cores that this process used since the last step

	buffer [maxFileBytes]byte
}

func newHost(root string, now func() time.Time, log *slog.Logger) *host {
	h := &host{
		root: root, now: now, log: log, cores: float64(runtime.NumCPU()),
		psiCPU:   counters{path: "proc/pressure/cpu", parse: psiTotals},
		psiIO:    counters{path: "proc/pressure/io", parse: psiTotals},
		stat:     counters{path: "proc/stat", parse: cpuTicks},
		disks:    counters{path: "proc/vmstat", parse: diskBytes},
		ownDisks: counters{path: "proc/self/io", parse: ownDiskBytes},
	}
	if b, err := h.read("sys/devices/system/cpu/online"); err == nil {
		if n, ok := cpuCount(b); ok {
			h.cores = float64(n)
		}
	}
	h.findLimit(now())
	return h
}

// sample reads all files that are due. own is the number of cores that this process used since the
// last step.
func (h *host) sample(now time.Time, own float64) {
	h.own = own
	h.update(&h.psiCPU, now)
	h.update(&h.psiIO, now)
	h.update(&h.stat, now)
	if !h.psiCPU.known {
		h.updateLoad(now)
	}
	if !h.psiIO.at.IsZero() { // to find out who causes the pressure
		h.update(&h.disks, now)
		h.update(&h.ownDisks, now)
	}
	if age := now.Sub(h.limitAt); age >= limitAge || age < 0 {
		h.findLimit(now)
	}
	if h.limit.cores > 0 {
		h.update(&h.throttling, now)
	}
}

// update reads a file of counters and sets its rates. If a counter or the clock went backwards, the
// measurement starts again.
func (h *host) update(c *counters, now time.Time) {
	dt := now.Sub(c.at)
	if !c.at.IsZero() && dt >= 0 && (dt < minSample || now.Before(c.next)) {
		return
	}
	began := h.now()
	b, err := h.read(c.path)
	c.next = now.Add(min(costPart*max(h.now().Sub(began), 0), maxSamplePause))
	got, ok := counts{}, false
	if err == nil {
		got, ok = c.parse(b)
	}
	if !ok {
		h.logOnce(&c.absent, c.path, err)
		*c = counters{path: c.path, parse: c.parse, absent: true, next: c.next}
		return
	}
	c.known = !c.at.IsZero() && dt > 0
	for i, v := range got {
		if v < c.last[i] {
			c.known = false
			break
		}
		c.rate[i] = float64(v-c.last[i]) / dt.Seconds()
	}
	c.at, c.last = now, got
}

// updateLoad is for hosts without pressure files. This process's own threads are subtracted: one
// that runs now, or the number of cores that it used if that is more.
func (h *host) updateLoad(now time.Time) {
	b, err := h.read("proc/loadavg")
	ok := false
	var running float64
	if err == nil {
		running, ok = loadNow(b)
	}
	if !ok {
		h.logOnce(&h.loadAbsent, "proc/loadavg", err)
		h.loadAt = time.Time{}
		return
	}
	load := max(running-max(1, h.own), 0) / h.cores
	if dt := now.Sub(h.loadAt); !h.loadAt.IsZero() && dt >= 0 {
		load = h.load + (load-h.load)*(1-decay(dt, loadMemory))
	}
	h.load, h.loadAt = load, now
}

// logOnce logs once that a file has no data. A missing file is usual on older kernels and in
// containers.
func (h *host) logOnce(logged *bool, path string, err error) {
	if *logged {
		return
	}
	*logged = true
	switch {
	case err == nil:
		h.log.Warn("cannot parse a file of the kernel, governing without it", "path", filepath.Join(h.root, path))
	case errors.Is(err, fs.ErrNotExist):
		h.log.Debug("kernel has no such file, governing without it", "path", filepath.Join(h.root, path))
	default:
		h.log.Warn("cannot read a file of the kernel, governing without it", "path", filepath.Join(h.root, path), "err", err)
	}
}

// read returns the file's first maxFileBytes in h.buffer, valid until the next read. os.ReadFile
// was rejected: it allocates, and registers each file with the poller.
func (h *host) read(path string) ([]byte, error) {
	fd, err := syscall.Open(filepath.Join(h.root, path), syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	n := 0
	for n < len(h.buffer) {
		got, err := syscall.Read(fd, h.buffer[n:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if got == 0 {
			break
		}
		n += got
	}
	return h.buffer[:n], nil
}

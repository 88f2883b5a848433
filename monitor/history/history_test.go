package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
)

// start is the beginning of a quarter of an hour, which is stored in the first slot of both rings.
var start = time.Unix(minuteSlots*60*2000, 0)

func at(minute, second int) time.Time {
	return start.Add(time.Duration(minute)*time.Minute + time.Duration(second)*time.Second)
}

func newStore(fsys vfs.FS, dir string, log *bytes.Buffer) *Store {
	handler := slog.DiscardHandler
	if log != nil {
		handler = slog.NewTextHandler(log, nil)
	}
	return New(Config{FS: fsys, Dir: dir, Log: slog.New(handler)})
}

// served returns an observation of a host that has answered that many requests since its process
// started.
func served(host string, requests int64) Observation {
	return Observation{Host: host, ByClass: [Classes]int64{1, requests, 0, 0, requests / 10}, Bytes: requests * 200, ParseErrors: 1,
		UntabledSeconds: 0.2, UnstoredSeconds: 3600, UnreadBytes: 77, Governor: GovernorLimited}
}

func minutes(t *testing.T, s *Store, host string, from, to int) []Sample {
	t.Helper()
	samples, err := s.Minutes(host, at(from, 0), at(to, 0))
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

func TestNumbersBelow128AreExactAndAllAreWithinAHalfPercent(t *testing.T) {
	before := uint16(0)
	for v := int64(0); v < 1<<37; v += 1 + v/97 {
		n := number(v)
		got := value(n)
		if v < 256 && got != v || float64(max(got-v, v-got)) > 0.004*float64(v) || n < before {
			t.Fatalf("%d is kept as %d", v, got)
		}
		before = n
	}
	if number(-5) != 0 || value(number(1<<62)) != value(1<<numberBits-1) {
		t.Error("what has no number is another one than the nearest")
	}
}

func TestADamagedRecordIsAbsent(t *testing.T) {
	want := Sample{ByClass: [Classes]int64{1, 20, 3, 4, 5}, Bytes: 6400, ParseErrors: 7, UntabledSeconds: 8, UnstoredSeconds: 7232, UnreadBytes: 100, Governor: GovernorPaused, Level: Error, Covered: 60}
	var b [recordBytes]byte
	want.put(&b, &minuteTable, 12345)
	var got Sample
	if !got.get(&b, &minuteTable, 12345) || got != want {
		t.Fatalf("%+v", got)
	}
	if got.get(&b, &minuteTable, 12345+minuteSlots) || got.get(&b, &quarterTable, 12345) {
		t.Error("a record was accepted for another time or table")
	}
	for bit := range recordBytes * 8 {
		damaged := b
		damaged[bit/8] ^= 1 << (bit % 8)
		if got.get(&damaged, &minuteTable, 12345) {
			t.Errorf("bit %d", bit)
		}
	}
	if got.get(new([recordBytes]byte), &minuteTable, 12345) {
		t.Error("zeros are a record")
	}
}

func TestAMinuteHasTheCountsOfItsObservations(t *testing.T) {
	s := newStore(vfs.OS{}, filepath.Join(t.TempDir(), "history"), nil)
	for i := range 12 * 3 { // three minutes with 10 requests every 5 s
		o := served("web01", int64(10*(i+1)))
		if i == 14 {
			o.Level, o.UntabledSeconds = Error, 900.5
		}
		s.Observe(at(i/12, i%12*5), []Observation{o})
	}
	s.Observe(at(3, 0), []Observation{served("web01", 360)})
	got := minutes(t, s, "web01", 0, 3)
	for i, m := range got[:3] {
		if m.ByClass[1] != 120 || m.ByClass[4] != 12 || m.Bytes != 24000 && m.Bytes != value(number(24000)) || m.UnstoredSeconds != value(number(3600)) || m.UnreadBytes != 77 || m.Governor != GovernorLimited || m.Covered != 60 {
			t.Errorf("minute %d: %+v", i, m)
		}
	}
	if got[0].ParseErrors != 1 || got[1].ParseErrors != 0 {
		t.Error("a counter is added again each minute")
	}
	if got[1].Level != Error || got[1].UntabledSeconds != value(number(901)) || got[2].Level != Okay || got[2].UntabledSeconds != 1 {
		t.Errorf("the worst of a minute: %+v", got)
	}
	if got[3].Covered != 0 {
		t.Errorf("the present minute is written: %+v", got[3])
	}
}

// TestAProcessContinuesWhereTheLastOneStopped checks a restart within a minute, after which the
// host's counters begin at 0 again.
func TestAProcessContinuesWhereTheLastOneStopped(t *testing.T) {
	dir := t.TempDir()
	s := newStore(vfs.OS{}, dir, nil)
	for i := range 20 {
		s.Observe(at(i, 20), []Observation{served("web01", int64(100*(i+1)))})
	}
	s.flush(at(19, 20), true) // as Run does when it ends
	s = newStore(vfs.OS{}, dir, nil)
	s.Observe(at(19, 30), []Observation{served("web01", 7)})
	s.Observe(at(30, 0), []Observation{served("web01", 7)})
	s.Observe(at(31, 0), []Observation{served("web01", 7)})
	got := minutes(t, s, "web01", 0, 31)
	if m := got[19]; m.ByClass[1] != 107 || m.ByClass[0] != 1 {
		t.Errorf("the minute of the restart: %+v", m)
	}
	if got[25].Covered != 0 {
		t.Error("a minute without an observation has a sample")
	}
	quarters, err := s.Quarters("web01", at(0, 0), at(45, 0))
	if err != nil || quarters[0].ByClass[1] != value(number(1500)) || quarters[0].Covered != 15 {
		t.Errorf("the quarter that was over: %+v, %v", quarters[0], err)
	}
	// The second quarter was not over when the process ended. The next process makes it from its
	// minutes.
	s = newStore(vfs.OS{}, dir, nil)
	s.Observe(at(50, 0), []Observation{served("web01", 0)})
	quarters, err = s.Quarters("web01", at(0, 0), at(45, 0))
	if err != nil || quarters[1].ByClass[1] != value(number(507)) || quarters[1].Covered != 5 {
		t.Errorf("the quarter of the restart: %+v, %v", quarters[1], err)
	}
	spark := s.Sparks(at(50, 0))["web01"]
	if rate := spark.Today[dayQuarters-4]; rate < 1.6 || rate > 1.9 { // 1,520 lines in 15 minutes
		t.Errorf("%v lines/s", rate)
	}
	if spark.Today[0] >= 0 || spark.LastWeek[dayQuarters-1] >= 0 {
		t.Error("a time before the first observation has a rate")
	}
}

func TestAHostsStateIsKeptOverARestart(t *testing.T) {
	dir := t.TempDir()
	s := newStore(vfs.OS{}, dir, nil)
	bad := Observation{Host: "web01", Level: Error, Reason: "silent <b>for</b> 2m" + strings.Repeat("\u00e9", 300)}
	s.Observe(at(0, 0), []Observation{served("web01", 1)})
	s.Observe(at(1, 10), []Observation{bad})
	s.Observe(at(2, 0), []Observation{bad})
	s = newStore(vfs.OS{}, dir, nil)
	s.Observe(at(9, 0), []Observation{bad})
	if x := s.Sparks(at(9, 0))["web01"]; !x.Since.Equal(at(1, 10)) || x.Level != Error {
		t.Errorf("since %v, %v", x.Since, x.Level)
	}
	for i := range 300 { // more changes than a file can hold, as many per minute as are kept
		s.Observe(at(10+i/8, i%8*7), []Observation{{Host: "web01", Level: Level(i % 3), Reason: fmt.Sprint(i)}})
	}
	changes, err := s.Changes("web01")
	if err != nil || len(changes) > changeSlots+maxPending {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	if last := changes[len(changes)-1]; last.Reason != "299" || last.Level != Error {
		t.Errorf("the last change: %+v", last)
	}
	if !slices.IsSortedFunc(changes, func(a, b Change) int { return a.At.Compare(b.At) }) {
		t.Error("changes are in another order")
	}
}

// TestADamagedFileLosesItsHistoryOnly checks that a damaged file is renamed and a new one begun,
// and that other hosts are unaffected.
func TestADamagedFileLosesItsHistoryOnly(t *testing.T) {
	for what, damage := range map[string]func(path string) error{
		"shorter":        func(path string) error { return os.Truncate(path, 1000) },
		"empty":          func(path string) error { return os.Truncate(path, 0) },
		"another header": func(path string) error { return overwrite(path, 5, "damaged") },
		"another's file": func(path string) error { return os.Rename(filepath.Join(filepath.Dir(path), "web02.history"), path) },
	} {
		dir := t.TempDir()
		var log bytes.Buffer
		s := newStore(vfs.OS{}, dir, &log)
		both := func(minute int) {
			s.Observe(at(minute, 0), []Observation{served("web01", int64(10*minute)), served("web02", int64(10*minute))})
		}
		both(0)
		both(1)
		if err := damage(filepath.Join(dir, "web01.history")); err != nil {
			t.Fatal(err)
		}
		both(2)
		both(3)
		if _, err := os.Stat(filepath.Join(dir, "web01.history.damaged")); err != nil || strings.Count(log.String(), "history file damaged, renamed") != 1 {
			t.Errorf("%s: %v; %s", what, err, &log)
		}
		got := minutes(t, s, "web01", 0, 3)
		if got[0].Covered != 0 || got[2].ByClass[1] != 10 {
			t.Errorf("%s: %+v", what, got)
		}
		if other := minutes(t, s, "web02", 0, 3); other[2].ByClass[1] != 10 {
			t.Errorf("%s: the other host: %+v", what, other)
		}
	}
}

func overwrite(path string, offset int64, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), offset)
	return errors.Join(err, f.Close())
}

// TestACrashAtAnyWriteLeavesEachMinuteWholeOrAbsent checks that after a power failure at any operation
// each minute has what was written or is absent, and that the next process writes its minutes.
func TestACrashAtAnyWriteLeavesEachMinuteWholeOrAbsent(t *testing.T) {
	random := rand.New(rand.NewPCG(18, 4))
	life := func(fsys *crashfs.FS, from int) *Store {
		s := newStore(fsys, "/data/history", nil)
		for i := range 17 {
			s.Observe(at(from+i, 0), []Observation{{Host: "web01", ByClass: [Classes]int64{0, int64(100 * (i + 1))}, Level: Level(i % 3)}})
		}
		return s
	}
	whole := crashfs.New()
	life(whole, 0)
	for op := range whole.Ops() {
		for range 4 {
			fsys := crashfs.New()
			fsys.Fail = func(o crashfs.Op) error {
				if o.N >= op {
					return crashfs.ErrInjected
				}
				return nil
			}
			life(fsys, 0)
			left := fsys.Crash(random)
			s := life(left, 20)
			got := minutes(t, s, "web01", 0, 36)
			for i, m := range got {
				if m.Covered > 0 && m.ByClass[1] != 100 {
					t.Fatalf("crash at operation %d: minute %d: %+v", op, i, m)
				}
				if i >= 20 && i < 36 && m.Covered == 0 {
					t.Fatalf("crash at operation %d: minute %d is absent after it", op, i)
				}
			}
		}
	}
}

// TestAFailingDiskLosesHistoryOnly checks that failed writes are logged at growing intervals, and
// once when they succeed again.
func TestAFailingDiskLosesHistoryOnly(t *testing.T) {
	var log bytes.Buffer
	fsys := crashfs.New()
	failing := true
	fsys.Fail = func(crashfs.Op) error {
		if failing {
			return crashfs.ErrInjected
		}
		return nil
	}
	s := newStore(fsys, "/data/history", &log)
	for i := range 200 {
		failing = i < 100
		s.Observe(at(i, 0), []Observation{{Host: "web01", ByClass: [Classes]int64{0, int64(100 * (i + 1))}}, {Host: "web02"}})
	}
	if n := strings.Count(log.String(), "history write failed"); n < 5 || n > 9 {
		t.Errorf("logged %d times in 100 minutes:\n%s", n, &log)
	}
	if strings.Count(log.String(), "history write recovered") != 1 {
		t.Errorf("%s", &log)
	}
	got := minutes(t, s, "web01", 90, 199)
	if got[0].Covered != 0 || got[20].ByClass[1] != 100 {
		t.Errorf("%+v, %+v", got[0], got[20])
	}
}

func TestHostsAreBoundedAndTheLongestIdleIsForgotten(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	s := newStore(vfs.OS{}, dir, &log)
	s.cfg.MaxHosts = 3
	many := func(minute int, names ...string) {
		var hosts []Observation
		for _, name := range names {
			hosts = append(hosts, Observation{Host: name})
		}
		s.Observe(at(minute, 0), hosts)
	}
	many(0, "a", "b", "c", "d", "e")
	many(1, "a", "b", "c", "d", "e")
	if s.Excluded() != 2 || strings.Count(log.String(), "history limit reached") != 1 {
		t.Errorf("%d are left out; %s", s.Excluded(), &log)
	}
	old := at(1, 0).Add(-evictAfter)
	if err := os.Chtimes(filepath.Join(dir, "b.history"), old, old); err != nil {
		t.Fatal(err)
	}
	s = newStore(vfs.OS{}, dir, &log)
	s.cfg.MaxHosts = 3
	many(2, "a", "c", "d", "e")
	many(3, "a", "c", "d", "e")
	names, err := vfs.OS{}.ReadDir(dir)
	if err != nil || !slices.Equal(names, []string{"a.history", "c.history", "d.history"}) || s.Excluded() != 1 {
		t.Errorf("%v, %v, %d left out", names, err, s.Excluded())
	}
}

// TestNoNameOfAHostIsAnotherFile checks that every host name has its own file name, which stays
// inside the directory and within 255 bytes.
func TestNoNameOfAHostIsAnotherFile(t *testing.T) {
	seen := map[string]string{}
	for _, host := range []string{"", ".", "..", "../web01", "a/b", "_", "_x", "\x00", "web01", "WEB01", "web01.history", strings.Repeat("a", 240), strings.Repeat("a", 241), strings.Repeat("a", 253), "\xff", "<b>"} {
		name := fileName(host)
		if other, known := seen[name]; known || len(name) > 255 || strings.ContainsAny(name, "/\x00") || name[0] == '.' {
			t.Errorf("%q: %q, as %q", host, name, other)
		}
		seen[name] = host
	}
}

func TestObservingAllocatesNothing(t *testing.T) {
	s := newStore(vfs.OS{}, t.TempDir(), nil)
	hosts := []Observation{served("web01", 1), served("web02", 1)}
	i := 0
	observe := func() {
		hosts[0].ByClass[1] += 10
		s.Observe(at(0, i%50), hosts)
		i++
	}
	observe()
	if n := testing.AllocsPerRun(20, observe); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestRunWritesThePresentMinuteAtItsEnd checks that Run writes the observed part of the current
// minute when it ends.
func TestRunWritesThePresentMinuteAtItsEnd(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(vfs.OS{}, dir, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go s.Run(ctx)
		for i := range 3 {
			s.Offer(at(0, 10*i), []Observation{served("web01", int64(10*(i+1)))})
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		if got := minutes(t, s, "web01", 0, 0)[0]; got.ByClass[1] != 30 || got.Covered != 20 {
			t.Errorf("%+v", got)
		}
	})
}

func TestOfferNeverWaits(t *testing.T) {
	s := newStore(vfs.OS{}, t.TempDir(), nil)
	for i := range 10 { // Run is not running, so nothing receives them
		s.Offer(at(0, i), nil)
	}
}

// FuzzReadingAFile checks that for any content of a file the values that are read are within their
// limits, and that the file can still be written.
func FuzzReadingAFile(f *testing.F) {
	s := newStore(vfs.OS{}, f.TempDir(), nil)
	s.Observe(at(0, 0), []Observation{{Host: "web01", Level: Error, Reason: "why"}})
	s.Observe(at(1, 0), []Observation{served("web01", 5)})
	s.Observe(at(15, 0), []Observation{served("web01", 9)})
	whole, err := os.ReadFile(s.path("web01"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(int64(0), []byte(magic))
	f.Add(int64(headerBytes), whole[headerBytes:headerBytes+40])
	f.Add(int64(quartersOffset), whole[quartersOffset:quartersOffset+20])
	f.Add(int64(changesOffset), whole[changesOffset:changesOffset+600])
	f.Add(int64(changesOffset+256), whole[changesOffset+256:changesOffset+512])
	f.Fuzz(func(t *testing.T, offset int64, data []byte) {
		dir := t.TempDir()
		s := newStore(vfs.OS{}, dir, nil)
		path := s.path("web01")
		if err := create(vfs.OS{}, path, "web01"); err != nil {
			t.Fatal(err)
		}
		offset = max(0, min(offset, fileBytes))
		if err := overwrite(path, offset, string(data[:min(int64(len(data)), fileBytes-offset)])); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			s.Observe(at(20+i, 0), []Observation{served("web01", int64(10*i))})
		}
		for _, m := range minutes(t, s, "web01", -600, 22) {
			if m.Lines() < 0 || m.Bytes < 0 || m.Covered > 63 || m.Level > Error {
				t.Fatalf("%+v", m)
			}
		}
		if _, err := s.Quarters("web01", at(-600, 0), at(22, 0)); err != nil {
			t.Fatal(err)
		}
		changes, err := s.Changes("web01")
		if err != nil || len(changes) > changeSlots+maxPending {
			t.Fatal(len(changes), err)
		}
		if last := minutes(t, s, "web01", 21, 21)[0]; last.ByClass[1] != 10 {
			t.Fatalf("what was written last: %+v", last)
		}
	})
}

// cpu returns the CPU time that the process has used, in user and kernel mode.
func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkMinute measures one minute of n hosts, twelve observations and one write: the CPU time
// per minute, and the memory per host.
func BenchmarkMinute(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			s := newStore(vfs.OS{}, b.TempDir(), nil)
			hosts := make([]Observation, n)
			for i := range hosts {
				hosts[i] = served(fmt.Sprintf("web%04d", i), 0)
			}
			s.Observe(at(0, 0), hosts)
			runtime.GC()
			runtime.ReadMemStats(&after)
			minute := 0
			b.ResetTimer()
			began := cpu(b)
			for b.Loop() {
				minute++
				for i := range 12 {
					for j := range hosts {
						hosts[j].ByClass[1] += 50
					}
					s.Observe(at(minute, i*5), hosts)
				}
			}
			b.ReportMetric(float64((cpu(b)-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/host")
		})
	}
}

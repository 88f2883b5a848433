package tail

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A line is never reported as older than it is, however long a log grows, and there is an age as
// long as something is unread.
func TestALineIsNeverReportedOlderThanItIs(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	var g growth
	var size, dropped int64
	var now time.Duration
	seen := map[int64]time.Duration{} // by position, of every byte
	for range 3000 {
		now += time.Duration(random.Int64N(int64(3 * time.Second)))
		before := size
		size += random.Int64N(3)
		for p := before; p < size; p++ {
			seen[p] = now
		}
		g.note(size, now)
		if random.IntN(50) == 0 {
			dropped += random.Int64N(size - dropped + 1)
			g.drop(dropped)
		}
		if len(g) > maxGrowths {
			t.Fatalf("%d entries", len(g))
		}
		if dropped == size {
			if at, ok := g.oldest(size); ok {
				t.Fatalf("nothing is unread after %d, but the age is since %s", size, at)
			}
			continue
		}
		at, ok := g.oldest(dropped)
		if first := seen[dropped]; !ok || at < first-growthInterval || at > now {
			t.Fatalf("the byte at %d of %d was first seen at %s, said is %s, %v, now is %s", dropped, size, first, at, ok, now)
		}
	}
}

// Ages are those of unread lines: a log that is quiet for an hour has no old line.
func TestAgesAreOfUnreadLines(t *testing.T) {
	w := newWorld(t)
	w.clock = time.Date(2026, 11, 24, 10, 30, 0, 0, time.UTC) // the lines have times of ten o'clock
	g := &meter{world: w, perSecond: 1 << 20}
	w.gate = g
	text := lines("a", 30)
	want := func(what string, unreadFrom, unreadTo, unstoredFrom, unstoredTo float64) {
		t.Helper()
		s := w.tailer.Status()
		if s.UnreadSeconds < unreadFrom || s.UnreadSeconds > unreadTo || s.UnstoredSeconds < unstoredFrom || s.UnstoredSeconds > unstoredTo {
			t.Errorf("%s: the oldest unread line is %v s old, the oldest that is not stored %v s", what, s.UnreadSeconds, s.UnstoredSeconds)
		}
		if s.WrittenBytes < s.ReadBytes || s.ReadBytes < s.StoredBytes {
			t.Errorf("%s: %d bytes written, %d read, %d stored", what, s.WrittenBytes, s.ReadBytes, s.StoredBytes)
		}
	}
	w.append("a.log", text)
	w.start()
	w.turns(10)
	want("read and stored", 0, 0, 0, 0)
	if s := w.tailer.Status(); s.StoredBytes != int64(len(text)) {
		t.Errorf("%d bytes are stored, want %d", s.StoredBytes, len(text))
	}
	for range 6 {
		w.turn(10 * time.Minute)
	}
	want("an hour without a line", 0, 0, 0, 0)

	w.hold = true // it is read and not stored
	w.append("a.log", lines("b", 3))
	w.turns(40)
	want("not stored", 0, 0, 30, 45)
	g.perSecond = 0 // the governor pauses reading
	w.append("a.log", lines("c", 3))
	w.turns(40)
	want("not read", 30, 45, 70, 85)
	g.perSecond, w.hold = 1<<20, false
	w.turns(20)
	for range 6 { // its descriptor is closed
		w.turn(10 * time.Minute)
	}
	g.perSecond = 0
	w.append("a.log", lines("d", 3))
	w.turns(40)
	want("not read since it was quiet", 30, 45, 30, 45)
	g.perSecond = 1 << 20
	w.append("a.log", "half a li")
	w.turns(20)
	want("all but half a line is read", 0, 0, 0, 0)

	// After a restart there are lines that the process before had not read.
	w.stop()
	w.append("a.log", "ne\n"+lines("e", 3))
	w.append("b.log", lines("f", 3))
	g.perSecond, g.left = 0, 0
	w.start()
	w.turns(20)
	hours := w.clock.Sub(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)).Seconds()
	want("after a start", hours-20, hours, 10, 20)
}

func TestAStuckOrFailingReaderIsReported(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := Status{At: now.Add(-time.Second), Failing: []Failure{
		{Path: "/a.log", Error: "permission denied", Since: now.Add(-time.Hour)},
		{Path: "/rotated.log", Error: "no such file", Since: now.Add(-time.Second)},
	}}
	if got := s.Problems(now); len(got) != 1 || got[0] != "/a.log cannot be read for 1h0m0s: permission denied" {
		t.Errorf("%q", got)
	}
	s = Status{At: now.Add(-5 * time.Minute)}
	if got := s.Problems(now); len(got) != 1 || got[0] != "reading is stuck for 5m0s" {
		t.Errorf("%q", got)
	}
}

// A log whose stream is not known yet has an age from its first listing; one with only a part of a
// line, and an empty one, have none.
func TestALogWhoseStreamIsNotKnownYetHasAnAge(t *testing.T) {
	for _, test := range []struct {
		f    file
		want float64
	}{{file{size: 100}, 270}, {file{size: 100, part: true}, 0}, {file{}, 0}} {
		var early, late Status
		early.age(&test.f, 10*time.Second)
		late.age(&test.f, 280*time.Second)
		if late.UnreadSeconds != test.want {
			t.Errorf("%d bytes: %v s, want %v", test.f.size, late.UnreadSeconds, test.want)
		}
	}
}

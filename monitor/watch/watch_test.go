package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
)

var start = time.Unix(1_800_000_000, 0)

func open(t *testing.T, fsys vfs.FS) *File {
	t.Helper()
	f, err := Open(fsys, "/watch")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func save(t *testing.T, f *File, now time.Time, awake time.Duration) {
	t.Helper()
	if err := f.Save(now, awake, true); err != nil {
		t.Fatal(err)
	}
}

// TestStateSurvivesARestart checks since when a host is expected, when one was last heard,
// losses, restarts and acknowledgements.
func TestStateSurvivesARestart(t *testing.T) {
	fsys := crashfs.New()
	f := open(t, fsys)
	f.Expect(start, 0, []string{"web01", "web02"})
	heard := start.Add(20 * time.Second)
	for i := range int64(3) {
		f.Observe(start.Add(30*time.Second), 30*time.Second, []Seen{{Host: "web01", Heard: heard, StartedMs: 1 + i, Lost: &Loss{Files: 1, Bytes: 7}, Agent: "sluice 1", Missed: true}})
	}
	if err := f.Acknowledge(start, "WEB01.", time.Hour, "a\nreason\x1b"); err != nil {
		t.Fatal(err)
	}
	f.SetMessages([]byte(`{"a":1}`))
	save(t, f, start, 30*time.Second)

	later := start.Add(24 * time.Hour)
	f = open(t, fsys)
	f.Expect(later, 0, []string{"web01", "web02"})
	hosts := f.Hosts()
	one, two := hosts["web01"], hosts["web02"]
	if one.HeardUnix != heard.Unix() || one.Unacknowledged() != (Loss{Files: 1, Bytes: 7}) || len(one.Restarts) != 2 || one.Ack == nil || one.Ack.Why != "a reason" || string(f.Messages()) != `{"a":1}` {
		t.Errorf("%+v", one)
	}
	if two.ExpectedUnix != start.Unix() || two.HeardUnix != 0 {
		t.Errorf("%+v", two)
	}
	// A day in which no process ran does not count as silence.
	if got := f.Silence(&one, time.Second); got != 11*time.Second {
		t.Errorf("web01 is silent for %s", got)
	}
	if got := f.Silence(&two, time.Second); got != 31*time.Second {
		t.Errorf("web02 is silent for %s", got)
	}
	if loss, numbered, err := f.AcknowledgeLoss("web01"); err != nil || numbered || loss != (Loss{Files: 1, Bytes: 7}) {
		t.Errorf("%v, %v", loss, err)
	}
	f.Observe(later, time.Second, []Seen{{Host: "web01", Heard: later, Lost: &Loss{Files: 2, Bytes: 9}}})
	if one = f.Hosts()["web01"]; one.Unacknowledged() != (Loss{Files: 1, Bytes: 2}) {
		t.Errorf("%+v", one)
	}
	f.Observe(later, time.Second, []Seen{{Host: "web01", Heard: later, Lost: &Loss{Files: 0, Bytes: 0}}}) // acknowledged there
	f.Observe(later, time.Second, []Seen{{Host: "web01", Heard: later, Lost: &Loss{Files: 1, Bytes: 5}}})
	if one = f.Hosts()["web01"]; one.Unacknowledged() != (Loss{Files: 1, Bytes: 5}) {
		t.Errorf("%+v", one)
	}
	if ended := f.EndAcks(later); !slices.Equal(ended, []string{"web01"}) {
		t.Errorf("ended: %q", ended)
	}
}

// TestAnAcknowledgementOfLossesIsBoundByTheirNumber checks what of a host's losses is acknowledged,
// and what its agent receives, while the agent applies the acknowledgement and loses more.
func TestAnAcknowledgementOfLossesIsBoundByTheirNumber(t *testing.T) {
	fsys := crashfs.New()
	f := open(t, fsys)
	report := func(lost Loss) {
		f.Observe(start, time.Second, []Seen{{Host: "web01", Heard: start, Lost: &lost}})
		save(t, f, start, time.Second)
		f = open(t, fsys) // over a restart
	}
	want := func(when string, fresh Loss, number int64) {
		t.Helper()
		h := f.Hosts()["web01"]
		if got := h.Unacknowledged(); got != fresh || f.AcknowledgedLoss("web01") != number {
			t.Errorf("%s: %+v and number %d, want %+v and %d", when, got, f.AcknowledgedLoss("web01"), fresh, number)
		}
	}
	report(Loss{Files: 2, Bytes: 9, First: 10, Last: 11})
	want("a loss", Loss{Files: 2, Bytes: 9}, 0)
	for range 2 {
		if fresh, numbered, err := f.AcknowledgeLoss("web01"); err != nil || !numbered || fresh.Files != 2 && fresh.Files != 0 {
			t.Errorf("%+v, %v, %v", fresh, numbered, err)
		}
		want("acknowledged", Loss{}, 11)
	}
	report(Loss{Files: 3, Bytes: 14, First: 10, Last: 12})
	want("another loss before the agent applied it", Loss{Files: 1, Bytes: 5}, 11)
	report(Loss{Files: 1, Bytes: 5, First: 12, Last: 12})
	want("the agent applied it", Loss{Files: 1, Bytes: 5}, 11)
	report(Loss{Files: 2, Bytes: 7, First: 12, Last: 13})
	want("and loses again", Loss{Files: 2, Bytes: 7}, 11)
	if _, _, err := f.AcknowledgeLoss("web01"); err != nil {
		t.Error(err)
	}
	report(Loss{Last: 13})
	want("all are acknowledged", Loss{}, 13)
	report(Loss{Files: 1, Bytes: 1, First: 14, Last: 14})
	want("the next loss, smaller than those before", Loss{Files: 1, Bytes: 1}, 13)
	report(Loss{Files: 1, Bytes: 3, First: 5, Last: 5})
	want("another checkpoint, of a clock that is behind", Loss{Files: 1, Bytes: 3}, 0)
	report(Loss{Files: 1, Bytes: 3})
	if _, numbered, err := f.AcknowledgeLoss("web01"); err != nil || numbered {
		t.Errorf("%v, %v", numbered, err)
	}
	want("an agent of an older version", Loss{}, 0)
}

func TestHostsThatAreNotExpectedAreForgotten(t *testing.T) {
	f := open(t, crashfs.New())
	f.Expect(start, 0, []string{"expected", "retired", "no more"})
	f.Observe(start, 0, []Seen{{Host: "missed", Heard: start, Missed: true}, {Host: "elsewhere", Heard: start, Elsewhere: true}})
	f.Retire([]string{"retired"})
	f.Expect(start, 0, []string{"expected"})
	later := start.Add(forgetAfter)
	f.Observe(later, time.Second, []Seen{{Host: "missed", Missed: true}})
	if hosts := f.Hosts(); len(hosts) != 2 || hosts["expected"].ExpectedUnix == 0 || hosts["missed"].ExpectedUnix != 0 {
		t.Errorf("%v", f.Hosts())
	}
	crowd := make([]Seen, maxHosts+10)
	for i := range crowd {
		crowd[i] = Seen{Host: fmt.Sprint("h", i), Heard: later, Missed: true}
	}
	if f.Observe(later, time.Second, crowd[:maxHosts]); len(f.Hosts()) > maxHosts || f.Hosts()["expected"].ExpectedUnix == 0 {
		t.Errorf("%d hosts are stored", len(f.Hosts()))
	}
	if err := f.Acknowledge(start, "nobody", time.Hour, "x"); !errors.Is(err, ErrUnknownHost) {
		t.Error(err)
	}
}

// TestAnAcknowledgementOfAClockThatWasAheadEnds checks that it does not hide errors for longer than
// MaxAck after the clock was corrected.
func TestAnAcknowledgementOfAClockThatWasAheadEnds(t *testing.T) {
	f := open(t, crashfs.New())
	f.Expect(start, 0, []string{"web01", "web02"})
	for host, at := range map[string]time.Time{"web01": start.Add(365 * 24 * time.Hour), "web02": start} {
		if err := f.Acknowledge(at, host, MaxAck, "known"); err != nil {
			t.Fatal(err)
		}
	}
	if ended := f.EndAcks(start); !slices.Equal(ended, []string{"web01"}) {
		t.Errorf("ended: %q", ended)
	}
}

// TestEachStartOfAnAgentCounts checks that a start by a clock that was ahead does not hide those after
// it, that two agents with one name, or a flood of start times, are bounded, and that restarts that
// were noted by a clock of the collector that was ahead do not last.
func TestEachStartOfAnAgentCounts(t *testing.T) {
	const year = 365 * 24 * 3_600_000
	fsys := crashfs.New()
	f := open(t, fsys)
	restarts := func(host string, now time.Time, started ...int64) int {
		for _, ms := range started {
			f.Observe(now, time.Second, []Seen{{Host: host, Heard: now, StartedMs: ms}})
		}
		h := f.Hosts()[host]
		return h.RestartsAt(now)
	}
	if got := restarts("ahead", start, 1, 2, year, year, 3, 0, 3, 4, 5); got != 5 {
		t.Errorf("%d restarts, want 5", got)
	}
	if got := restarts("twins", start, 1, 2, 1, 2, 1, 2, 1, 2); got != 1 {
		t.Errorf("two agents with one name: %d restarts", got)
	}
	save(t, f, start, time.Second)
	var flood []int64
	for i := range int64(1000) {
		flood = append(flood, 1+i)
	}
	if got := restarts("hostile", start, flood...); got != maxRestarts {
		t.Errorf("a flood: %d restarts", got)
	}
	if err := f.Save(start.Add(time.Second), time.Second, false); err != nil || len(open(t, fsys).Hosts()["hostile"].Restarts) > 0 {
		t.Errorf("a flood is saved more often than each %s: %v", saveInterval, err)
	}
	if got := restarts("ahead", start.Add(-year*time.Millisecond)); got != 0 {
		t.Errorf("%d restarts are noted by a clock that was a year ahead", got)
	}
}

// TestAHostIsExpectedInAnySpelling checks that a host that sends as web01 is the one that is expected
// as WEB01, before and after its first message and over a restart, and that what an earlier version
// stored of the two is put together.
func TestAHostIsExpectedInAnySpelling(t *testing.T) {
	fsys := crashfs.New()
	f := open(t, fsys)
	f.Expect(start, 0, []string{"WEB01.", "Web02"})
	f.doc.Hosts["web02"] = &Host{HeardUnix: start.Unix(), Restarts: []int64{1}}
	if err := f.Acknowledge(start, "web01", time.Hour, "known"); err != nil {
		t.Fatal(err)
	}
	for restart := range 3 {
		later := start.Add(time.Duration(1+restart) * time.Minute)
		f.Observe(later, time.Second, []Seen{{Host: "web01", Heard: later}, {Host: "web02", Heard: later}})
		hosts := f.Hosts()
		one, two := hosts["web01"], hosts["web02"]
		if len(hosts) != 2 || one.ExpectedUnix != start.Unix() || one.HeardUnix != later.Unix() || one.Ack == nil || two.ExpectedUnix != start.Unix() || two.HeardUnix != later.Unix() || len(two.Restarts) != 1 {
			t.Errorf("restart %d: %+v", restart, hosts)
		}
		save(t, f, later, time.Second)
		f = open(t, fsys)
		f.Expect(later, 0, []string{"WEB01", "Web02"})
	}
	// Two senders whose names differ in case only are two hosts.
	f.Observe(start, time.Second, []Seen{{Host: "web01", Heard: start}, {Host: "WEB01", Heard: start}, {Host: "web02", Heard: start}})
	if hosts := f.Hosts(); len(hosts) != 3 {
		t.Errorf("%+v", hosts)
	}
	f.Expect(start, 0, []string{"web03", "WEB03", "webk"})
	f.Observe(start, time.Second, []Seen{{Host: "web\u212a", Heard: start}})
	if hosts := f.Hosts(); hosts["WEB03"].ExpectedUnix != 0 || hosts["web03"].ExpectedUnix == 0 || hosts["webk"].ExpectedUnix == 0 {
		t.Errorf("%+v", hosts)
	}
	f.Expect(start, 0, nil)
	if hosts := f.Hosts(); hosts["web01"].ExpectedUnix != 0 || hosts["web02"].ExpectedUnix != 0 {
		t.Errorf("not expected any more: %+v", hosts)
	}
}

// TestDamagedFileIsRenamedAndReported checks also that a file that cannot be written is reported.
func TestDamagedFileIsRenamedAndReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "watch")
	for _, text := range []string{"", "{}\n00000000\n", string(vfs.WithSum([]byte(`{"sluice":"watch","version":2}`))), string(vfs.WithSum([]byte(`{"sluice":"watch","version":1,"hosts":{"a":null}}`)))} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(vfs.OS{}, path)
		if err != nil || !strings.Contains(f.Problem(), "was damaged") {
			t.Errorf("%q: %v", text, err)
		}
		if got, err := os.ReadFile(path + ".damaged"); err != nil || string(got) != text {
			t.Errorf("%q: %v", got, err)
		}
	}
	if err := os.Symlink("/etc/passwd", path); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(vfs.OS{}, path); err == nil {
		t.Error("a link is followed")
	}
	f, err := Open(vfs.OS{}, filepath.Join(t.TempDir(), "none", "watch"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Save(start, 0, true); err == nil || !strings.Contains(f.Problem(), "cannot save") {
		t.Errorf("%v: %q", err, f.Problem())
	}
}

// TestSuspendedTimeIsNotCounted checks that Awake omits the time in which the process did not run.
func TestSuspendedTimeIsNotCounted(t *testing.T) {
	a := NewAwake(start)
	now := start
	for range 10 {
		now = now.Add(time.Second)
		a.Advance(now)
	}
	now = now.Add(150 * time.Second) // suspended
	if got := a.Time(now); got != 11*time.Second {
		t.Errorf("awake for %s", got)
	}
	if got := a.Frozen(now.Add(5*time.Second), time.Minute); got != 55*time.Second {
		t.Errorf("frozen for %s of the last minute", got)
	}
	if got := a.Frozen(now.Add(5*time.Second), time.Hour); got != 149*time.Second {
		t.Errorf("frozen for %s of the last hour", got)
	}
	if got := a.Time(now.Add(10 * time.Second)); got != 21*time.Second { // 5 s are below maxStep, then 5 s more
		t.Errorf("awake for %s", got)
	}
}

func TestListsOfHosts(t *testing.T) {
	for text, want := range map[string]string{
		"web01":                   "web01",
		"web08..web11":            "web08 web09 web10 web11",
		"shop[1-3]":               "shop1 shop2 shop3",
		"shop[09-10].example.com": "shop09.example.com shop10.example.com",
		"web1..web1":              "web1",
		"a,b[1-2]":                "a b1 b2",
	} {
		got, err := expandAll(strings.Split(text, ","))
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a b", "web1..shop3", "web..web3", "web3..web1", "web[1-3", "web]", "web[13]", "web[1-2][3-4]", "web[3-1]", "web0..web99999999999", "web0..web10000", "web[1-3]..web[2-4]", "a/b"} {
		if got, err := expandAll([]string{text}); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// TestFileOfHostsIsReadAgainWhenItChanges checks also that a wrong file changes nothing.
func TestFileOfHostsIsReadAgainWhenItChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := NewExpectation(nil, path); err == nil {
		t.Error("a missing file is no error")
	}
	write("# all\nweb01..web02, db1 # and\n\n")
	e, err := NewExpectation([]string{"x"}, path)
	if err != nil || strings.Join(e.Hosts(), " ") != "x web01 web02 db1" {
		t.Fatalf("%q, %v", e.Hosts(), err)
	}
	if changed, err := e.Reload(); changed || err != nil {
		t.Error(changed, err)
	}
	write("web[")
	if changed, err := e.Reload(); changed || err == nil || !strings.Contains(err.Error(), "line 1") || len(e.Hosts()) != 4 {
		t.Error(changed, err)
	}
	for _, text := range []string{"", "# none\n"} {
		write(text)
		for range 2 {
			if changed, err := e.Reload(); changed || !errors.Is(err, errNoHosts) || len(e.Hosts()) != 4 {
				t.Errorf("a file that lists no host: %t, %v, %q", changed, err, e.Hosts())
			}
		}
	}
	if e, err := NewExpectation([]string{"x"}, path); err != nil || e.FileRead() || len(e.Hosts()) != 1 {
		t.Errorf("a start with a file that lists no host: %v", err)
	}
	write("web09")
	if changed, err := e.Reload(); !changed || err != nil || strings.Join(e.Hosts(), " ") != "x web09" {
		t.Error(changed, err, e.Hosts())
	}
}

// FuzzExpand checks that no list causes a panic or more than maxExpected hosts.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"web01..web10", "shop[1-3]", "web0..web4294967295", "[", "a..b", "[0-9]x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		hosts, err := expandAll(strings.Split(s, ","))
		if err == nil && (len(hosts) == 0 || len(hosts) > maxExpected) {
			t.Errorf("%q: %d hosts", s, len(hosts))
		}
	})
}

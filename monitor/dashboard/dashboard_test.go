package dashboard

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/ingest/collector"
	"sluice/ingest/receiver"
	"sluice/monitor"
	"sluice/monitor/history"
)

// ask requests path and returns the response and its body.
func ask(t testing.TB, h http.Handler, path string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w, w.Body.String()
}

// fullSparks returns spark lines of the fleet's hosts, with a sample in every quarter of an hour of
// both days.
func fullSparks(f *monitor.Fleet) map[string]*history.Spark {
	sparks := map[string]*history.Spark{}
	i := 0
	for name := range f.Hosts {
		x := &history.Spark{Since: now.Add(-5 * time.Hour), Lines: 4_000_000, ParseErrors: 12, Failed: 900}
		for q := range x.Today {
			at := now.Add(-time.Duration(len(x.Today)-q) * 15 * time.Minute)
			x.Today[q], x.LastWeek[q] = float32(rate(i, at)), float32(rate(i, at.Add(-7*day)))
		}
		sparks[name] = x
		i++
	}
	return sparks
}

// thousand renders the page of all hosts and returns its size in bytes.
func thousand(t testing.TB, p *pages, f *monitor.Fleet, sparks map[string]*history.Spark) int {
	h := f.Check(limits)
	var b bytes.Buffer
	if err := p.templates["hosts.html"].ExecuteTemplate(&b, "layout.html", p.hostsPage(f, &h, sparks)); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

func TestAThousandHostsAreLessThanAMegabyte(t *testing.T) {
	f := demo(1000)
	p := newPages(t)
	if n := thousand(t, p, &f, fullSparks(&f)); n > 1_000_000 {
		t.Errorf("%d bytes", n)
	} else {
		t.Logf("%d bytes", n)
	}
}

func newPages(t testing.TB) *pages {
	t.Helper()
	p := &pages{Config: Config{Thresholds: limits}}
	if err := p.parse(); err != nil {
		t.Fatal(err)
	}
	return p
}

// cpu returns the CPU time that the process has used, in user and kernel mode.
func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkHosts measures the rendering of the page of all hosts: CPU time per page, and bytes.
func BenchmarkHosts(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := demo(n)
			p, sparks := newPages(b), fullSparks(&f)
			began, size := cpu(b), 0
			for b.Loop() {
				size = thousand(b, p, &f, sparks)
			}
			b.ReportMetric(float64((cpu(b)-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(size), "B/page")
		})
	}
}

func TestNamesFromOtherHostsAreEscaped(t *testing.T) {
	f := demo(20)
	h := pagesOf(t, f, remember(t, &f, 10, 0))
	for _, path := range []string{"/", "/sinks", hostURL(hostile), "/host/" + strings.Repeat("%3Cb%3E", 40), "/host/x%00y%E2%80%AE"} {
		w, text := ask(t, h, path)
		if w.Code != http.StatusOK && !strings.HasPrefix(path, "/host/") {
			t.Errorf("%s: status %d", path, w.Code)
		}
		for _, bad := range []string{"<img", "<script>", "<b>shop", "\u202e", "\x00", "javascript:", "style="} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
	}
	if _, text := ask(t, h, hostURL(hostile)); !strings.Contains(text, "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;&amp;shop") {
		t.Error("the host's name is not on its page")
	}
}

// TestPagesLoadNothingFromOtherServers checks that pages load nothing from other servers, have no inline
// scripts or styles, and are not cached.
func TestPagesLoadNothingFromOtherServers(t *testing.T) {
	f := demo(3)
	h := pagesOf(t, f, nil)
	for _, path := range []string{"/", "/sinks", "/host/web01.example.net", "/host/none", "/none", "/assets/page.js", "/assets/page.css", "/assets/icon.svg"} {
		w, text := ask(t, h, path)
		for header, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s: %q", path, header, got)
			}
		}
		if strings.Contains(w.Header().Get("Content-Type"), "html") && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s is kept", path)
		}
		if strings.Contains(strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""), "://") {
			t.Errorf("%s names another server", path)
		}
	}
	if w, _ := ask(t, h, "/host/none"); w.Code != http.StatusNotFound {
		t.Errorf("a host that is not known: status %d", w.Code)
	}
	templates, err := fs.Glob(assets, "assets/*.html")
	if err != nil || len(templates) < 5 {
		t.Fatal(templates, err)
	}
	for _, name := range templates {
		text, err := assets.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"style=", "onclick", "onload", "<style", "javascript:"} {
			if bytes.Contains(text, []byte(bad)) {
				t.Errorf("%s has %q, which the policy forbids", name, bad)
			}
		}
	}
}

func TestTheWorstHostComesFirst(t *testing.T) {
	f := demo(20)
	p := newPages(t)
	h := f.Check(limits)
	warned := h.Metrics[hostName(11)]
	warned.Status, warned.Reasons = "WARN", []string{"clock 40 s ahead"}
	h.Metrics[hostName(11)] = warned
	rows := p.hostsPage(&f, &h, nil).Rows
	var got []string
	for _, r := range rows[:5] {
		got = append(got, r.Name)
	}
	want := []string{hostName(3), hostName(7), hostName(18), hostName(11), hostName(2)}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%q, want %q", got, want)
	}
	if rows[0].Rate != "–" {
		t.Errorf("a silent host has a rate: %s", rows[0].Rate)
	}
	if s := summary(rows); s != "1 with a warning, 3 with an error, of 20 hosts." {
		t.Error(s)
	}
}

// TestWhatFailsIsNotGreen checks that a sink that began to fail a moment ago is WARN: not an error
// yet, and not OKAY.
func TestWhatFailsIsNotGreen(t *testing.T) {
	f := monitor.Fleet{Now: now, Sinks: monitor.Sinks(now, []collector.RetryState{{What: "archive: store", Since: now.Add(-time.Second), Attempts: 1, Error: "refused"}})}
	h := f.Check(limits)
	for _, s := range sinkRows(now, &h) {
		if want := map[bool]string{true: "WARN", false: "OKAY"}[s.Name == "archive"]; s.Status != want {
			t.Errorf("%s: %s, want %s", s.Name, s.Status, want)
		}
	}
	none := monitor.Fleet{Now: now}
	h = none.Check(limits)
	if _, text := ask(t, pagesOf(t, none, nil), "/"); !strings.Contains(text, "No host has connected yet") {
		t.Error("the page does not say that no host has connected")
	}
}

// TestARemovedHostHasAPageFromItsHistory checks that a host that is no longer in the fleet has a page made
// from its history.
func TestARemovedHostHasAPageFromItsHistory(t *testing.T) {
	f := demo(5)
	store := remember(t, &f, 5, 0)
	delete(f.Hosts, hostName(1))
	w, text := ask(t, pagesOf(t, f, store), hostURL(hostName(1)))
	if w.Code != http.StatusOK || !strings.Contains(text, "is not among the hosts of this process now") || strings.Contains(text, `<h1><span class="state sOKAY">`) {
		t.Errorf("status %d", w.Code)
	}
}

func TestObservationsOfAnAgentAndOfACollector(t *testing.T) {
	f := monitor.Fleet{Now: now, Kind: monitor.Agent, Host: "web01", Hosts: map[string]monitor.Host{"web01": {Lines: 70, Bytes: 700, WrittenBytes: 90, ReadBytes: 60, UntabledSeconds: 3, Governor: monitor.Governor{PausedSeconds: 1}}}}
	h := f.Check(limits)
	got := Observations(&h)
	want := history.Observation{Host: "web01", ByClass: [history.Classes]int64{70}, Bytes: 700, UnreadBytes: 30, UntabledSeconds: 3, Governor: history.GovernorPaused}
	if len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	collector := monitor.Fleet{Now: now, Hosts: monitor.Senders(now, []receiver.Host{{Name: "web01", Seen: now, Connections: 1}},
		&collector.State{Arrivals: map[string]collector.Arrivals{"web01": {Lines: 21, Bytes: 5, ParseErrors: 2, ByClass: [collector.Classes]int64{1, 2, 3, 4, 5, 6}}}})}
	h = collector.Check(limits)
	if got := Observations(&h)[0]; got.ByClass != [history.Classes]int64{3, 3, 4, 5, 6} || got.ParseErrors != 2 {
		t.Errorf("%+v", got)
	}
	h.Metrics = map[string]monitor.Host{"web01": {Status: monitor.Okay, Elsewhere: true}, "web02": {Status: monitor.Okay, Elsewhere: true, UnstoredSeconds: 5}}
	if got := Observations(&h); len(got) != 1 || got[0].Host != "web02" {
		t.Errorf("hosts that are with another collector: %+v", got)
	}
	_, text := ask(t, pagesOf(t, f, remember(t, &f, 1, 0)), "/host/web01")
	if strings.Contains(text, "did not parse") || !strings.Contains(text, "the collector does not have") {
		t.Error("an agent's page has what only a collector knows")
	}
}

func TestNumbersForPeople(t *testing.T) {
	for got, want := range map[string]string{
		ageText(0): "–", ageText(0.2): "< 1 s", ageText(59.4): "59 s", ageText(61): "1 min 1 s", ageText(600): "10 min", ageText(7260): "2 h 1 min", ageText(3 * 86400): "3 d", ageText(1e300): "11574 d",
		bytesText(-1): "0 B", bytesText(999): "999 B", bytesText(1000): "1.0 kB", bytesText(999_600): "1.0 MB", bytesText(84_011_000): "84 MB", bytesText(1 << 62): "4.6 EB",
		countText(0): "0", countText(999): "999", countText(-1234567): "-1\u202f234\u202f567",
		rateText(-1): "0", rateText(0.001): "< 0.01", rateText(0.25): "0.25", rateText(2): "2", rateText(2.26): "2.3", rateText(1234.5): "1\u202f235",
		shareText(0, 0): "0 %", shareText(1, 1_000_000): "< 0.1 %", shareText(1, 50): "2.0 %", shareText(5, 10): "50 %",
		visible("a\u202eb\tc\xff"): "a\uFFFDb\uFFFDc\uFFFD",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if n := len([]rune(visible(strings.Repeat("x", 1000)))); n != maxText {
		t.Errorf("%d characters are shown", n)
	}
}

func TestAxesEndAtRoundNumbers(t *testing.T) {
	for top, want := range map[float64]string{0: "[0 1]", 1: "[0 0.5 1]", 7: "[0 2 4 6 8]", 83: "[0 50 100]", 1000: "[0 500 1000]"} {
		if got := fmt.Sprint(numberTicks(top)); got != want {
			t.Errorf("%v: %s, want %s", top, got, want)
		}
	}
	for top, want := range map[float64]string{3: "[0 1 2 3]", 59: "[0 15 30 45 60]", 1500: "[0 600 1200 1800]", 40 * 86400: "[0 864000 1.728e+06 2.592e+06 3.456e+06]"} {
		if got := fmt.Sprint(ageTicks(top)); got != want {
			t.Errorf("%v s: %s, want %s", top, got, want)
		}
	}
}

// TestAGapIsNoLine checks that an interval without samples is a gap: neither zero nor bridged by a
// line.
func TestAGapIsNoLine(t *testing.T) {
	flat := func(v float32) float64 { return float64(v) }
	for want, values := range map[string][]float32{
		"M0 1l1 0":                 {1, 1, -1, -1},
		"M0 1l1 0M3 2l1 0":         {1, 1, -1, 2},
		"":                         {-1, -1},
		"M1 3l1 0M3 1l1 0M5 1l1 0": {-1, 3, -1, 1, -1, 1},
	} {
		if got := linePath(values, 1, flat); got != want {
			t.Errorf("%v: %s, want %s", values, got, want)
		}
	}
	x := &history.Spark{}
	for i := range x.Today {
		x.Today[i], x.LastWeek[i] = -1, -1
	}
	if s := newSpark(x); s.Today != "" || s.LastWeek != "" || !strings.Contains(s.Text, "no history") {
		t.Errorf("%+v", s)
	}
}

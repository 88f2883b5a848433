package dashboard

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice/monitor"
	"sluice/monitor/history"
)

// row is a host in the list of all hosts.
type row struct {
	Name, URL   string
	Short       string // Name without the domain, if most hosts have it
	Status      string
	Reason      string
	MoreReasons int
	Since       string // how long the host has had its level; "": not known
	Rate        string
	Spark       spark
	Errors      string // parse errors of the last 24 hours
	ErrorShare  string
	Failed      string // share of responses with a 5xx status in the last 24 hours
	Lag, Unread string
	bad         int
	lag         float64
}

// gridFrom is the number of hosts from which the page begins with a compact grid of all hosts.
const gridFrom = 13

type hostsPage struct {
	head
	Summary  string
	Reasons  []string
	Warnings []string
	Sinks    []sinkRow
	Facts    []fact
	Rows     []row
	Grid     bool
	Classes  bool // whether status classes are known
	Excluded int
	Total    spark
}

// fact is a figure at the top of a page.
type fact struct{ Name, Value, Note string }

func (p *pages) hosts(w http.ResponseWriter, _ *http.Request) {
	f := p.Look()
	h := f.Check(p.Thresholds)
	sparks, excluded := map[string]*history.Spark{}, 0
	if p.History != nil {
		sparks, excluded = p.History.Sparks(f.Now), p.History.Excluded()
	}
	data := p.hostsPage(&f, &h, sparks)
	data.Excluded = excluded
	p.show(w, http.StatusOK, "hosts.html", data)
}

// hostsPage returns the data of the page of all hosts.
func (p *pages) hostsPage(f *monitor.Fleet, h *monitor.Health, sparks map[string]*history.Spark) *hostsPage {
	data := &hostsPage{head: p.head(f, h, "Hosts", "hosts"), Classes: f.Kind != monitor.Agent}
	for name, x := range h.Metrics {
		data.Rows = append(data.Rows, newRow(f.Now, name, &x, sparks[name]))
	}
	slices.SortFunc(data.Rows, worse)
	if data.Grid = len(data.Rows) >= gridFrom; data.Grid {
		shorten(data.Rows)
	}
	data.Summary = summary(data.Rows)
	if !h.Well() && len(data.Rows) > 0 && data.Rows[0].bad == 0 {
		data.Summary += " This process is not:"
	}
	data.Reasons, data.Warnings = texts(h.Process.Reasons), texts(h.Process.Warnings)
	data.Sinks = sinkRows(f.Now, h)
	data.Facts = facts(f, h)
	data.Total = newSpark(total(sparks, h.Metrics))
	return data
}

// worse compares hosts: worst level first, then, among hosts that are not okay, the oldest line
// that is not in the table, then by name.
func worse(a, b row) int {
	byLag := 0
	if a.bad > 0 {
		byLag = cmp.Compare(b.lag, a.lag)
	}
	return cmp.Or(cmp.Compare(b.bad, a.bad), byLag, strings.Compare(a.Name, b.Name))
}

// shorten sets the Short names: without the domain if more than half of the hosts have the same
// one.
func shorten(rows []row) {
	domains := map[string]int{}
	for i := range rows {
		if _, domain, found := strings.Cut(rows[i].Name, "."); found {
			domains[domain]++
		}
	}
	for i := range rows {
		r := &rows[i]
		r.Short = r.Name
		if short, domain, found := strings.Cut(r.Name, "."); found && short != "" && 2*domains[domain] > len(rows) {
			r.Short = short
		}
	}
}

// silentSeconds is the time since its last message after which a host's rate is not known.
const silentSeconds = 30

func newRow(now time.Time, name string, x *monitor.Host, s *history.Spark) row {
	r := row{
		Name: visible(name), URL: hostURL(name), Status: string(x.Status), Rate: lineRate(x),
		Lag: ageText(x.UntabledSeconds), Unread: bytesText(x.WrittenBytes - x.ReadBytes), Errors: "–", Failed: "–",
		bad: int(levelOf(x.Status)), lag: x.UntabledSeconds, Spark: spark{Text: "no history"},
	}
	if reasons := reasonsOf(x); len(reasons) > 0 {
		r.Reason, r.MoreReasons = visible(reasons[0]), len(reasons)-1
	}
	if s == nil {
		return r
	}
	r.Spark = newSpark(s)
	r.Errors, r.ErrorShare, r.Failed = countText(s.ParseErrors), shareText(s.ParseErrors, s.Lines), shareText(s.Failed, s.Lines)
	if !s.Since.IsZero() {
		r.Since = ageText(max(now.Sub(s.Since).Seconds(), 0.1))
	}
	return r
}

func hostURL(name string) string { return "/host/" + url.PathEscape(name) }

// summary returns a sentence with the number of hosts that have errors and warnings.
func summary(rows []row) string {
	var n [3]int
	for _, r := range rows {
		n[r.bad]++
	}
	switch {
	case len(rows) == 0:
		return "No host has connected yet."
	case n[0] == len(rows) && n[0] == 1:
		return "The host is well."
	case n[0] == len(rows):
		return fmt.Sprintf("All %d hosts are well.", len(rows))
	}
	var parts []string
	for level, word := range map[int]string{2: "with an error", 1: "with a warning"} {
		if n[level] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[level], word))
		}
	}
	slices.Sort(parts)
	return fmt.Sprintf("%s, of %d hosts.", strings.Join(parts, ", "), len(rows))
}

func texts(all []string) []string {
	shown := make([]string, len(all))
	for i, s := range all {
		shown[i] = visible(s)
	}
	return shown
}

// facts returns the figures of all hosts together.
func facts(f *monitor.Fleet, h *monitor.Health) []fact {
	var rate, lag float64
	var unread int64
	oldest := ""
	for _, name := range slices.Sorted(maps.Keys(h.Metrics)) {
		x := h.Metrics[name]
		if x.SeenSeconds <= silentSeconds {
			rate += x.LinesPerSecond
		}
		unread += max(0, x.WrittenBytes-x.ReadBytes)
		if x.UntabledSeconds > lag {
			lag, oldest = x.UntabledSeconds, visible(name)
		}
	}
	where := "the table"
	if f.Kind == monitor.Agent {
		where = "the collector"
	}
	buffer := fact{"Spool", bytesText(f.BufferBytes), ""}
	if f.Kind == monitor.Agent {
		buffer.Name = "In flight"
	}
	if f.BufferMaxBytes > 0 {
		buffer.Note = "of " + bytesText(f.BufferMaxBytes)
	}
	return []fact{
		{"Lines/s", rateText(rate), "now"},
		{"Lag", ageText(lag), oldestNote(oldest, where)},
		{"Unread", bytesText(unread), "in the logs"},
		buffer,
	}
}

func oldestNote(host, where string) string {
	if host == "" {
		return "nothing waits for " + where
	}
	return "oldest line not in " + where + ": " + host
}

// total returns the sum of the spark lines of hosts. A point is negative (no data) only if no host
// has data.
func total(sparks map[string]*history.Spark, hosts map[string]monitor.Host) *history.Spark {
	sum := &history.Spark{}
	for i := range sum.Today {
		sum.Today[i], sum.LastWeek[i] = -1, -1
	}
	add := func(to *float32, v float32) {
		if v >= 0 {
			*to = max(*to, 0) + v
		}
	}
	for name := range hosts {
		if s := sparks[name]; s != nil {
			for i := range sum.Today {
				add(&sum.Today[i], s.Today[i])
				add(&sum.LastWeek[i], s.LastWeek[i])
			}
		}
	}
	return sum
}

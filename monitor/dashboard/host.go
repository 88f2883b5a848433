package dashboard

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"sluice/monitor"
	"sluice/monitor/history"
)

// The maximum numbers of rows on a host's page.
const (
	maxLogs    = 200
	maxChanges = 60
)

type hostPage struct {
	head
	Name, URL string
	Present   bool // the host is in the current state of this process
	HostState string
	Since     string
	Reasons   []string
	Warnings  []string
	Facts     []fact
	Spans     []span
	Span      string
	Logs      []logRow
	LogsKnown bool
	MoreLogs  bool
	ReadWord  string
	Changes   []changeRow
}

type logRow struct {
	Path, Read, Stored, Share, Newest string
	Waiting                           bool
	Gone                              bool
}

type changeRow struct {
	At          time.Time
	Level, Text string
	Lasted      string
}

func (p *pages) host(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	f := p.Look()
	h := f.Check(p.Thresholds)
	x, present := h.Metrics[name]
	data := hostPage{head: p.head(&f, &h, visible(name), "host"), Name: visible(name), URL: hostURL(name), Present: present, Spans: spans, HostState: string(x.Status), Reasons: texts(x.Reasons), Warnings: texts(x.Warnings), ReadWord: "Received"}
	if f.Kind != monitor.Collector {
		data.ReadWord = "Length seen"
	}
	changes := p.changes(name, &data.head)
	if !present && len(changes) == 0 {
		p.show(w, http.StatusNotFound, "absent.html", &data)
		return
	}
	if present {
		data.Facts = hostFacts(f.Kind, &x)
	} else {
		data.HostState = "gone"
	}
	data.Changes = changeRows(f.Now, changes)
	if n := len(changes); n > 0 && present {
		data.Since = ageText(max(f.Now.Sub(changes[n-1].At).Seconds(), 0.1))
	}
	s := spanOf(r.FormValue("range"))
	data.Span = s.Name
	p.charts(f.Now, f.Kind, name, s, &data.head)
	if p.Logs != nil {
		logs, more := p.Logs(name, maxLogs)
		data.LogsKnown, data.MoreLogs = true, more
		data.Logs = logRows(f.Now, logs)
	}
	p.show(w, http.StatusOK, "host.html", &data)
}

// spanOf returns the span called name, or the span of 24 hours if there is none.
func spanOf(name string) *span {
	if i := slices.IndexFunc(spans, func(s span) bool { return s.Name == name }); i >= 0 {
		return &spans[i]
	}
	return &spans[1]
}

func (p *pages) changes(host string, page *head) []history.Change {
	if p.History == nil {
		page.Problems = append(page.Problems, "This process keeps no history.")
		return nil
	}
	changes, err := p.History.Changes(host)
	if err != nil {
		page.Problems = append(page.Problems, visible(fmt.Sprintf("The history cannot be read: %v", err)))
	}
	return changes
}

// charts adds the charts of a host for the span s to page. A failure to read the history is added
// to its Problems.
func (p *pages) charts(now time.Time, kind monitor.Kind, host string, s *span, page *head) {
	if p.History == nil {
		return
	}
	points, err := s.points(p.History, host, now)
	if err != nil {
		page.Problems = append(page.Problems, visible(fmt.Sprintf("The history cannot be read: %v", err)))
		return
	}
	lag := "age of the oldest line that is not in the table"
	if kind == monitor.Agent {
		lag = "age of the oldest line that the collector does not have"
	}
	page.Charts = []*chart{s.states(points), s.traffic(points, kind != monitor.Agent), s.lag(points, lag)}
	if kind != monitor.Agent {
		page.Charts = append(page.Charts, s.parseErrors(points))
	}
	page.Charts = append(page.Charts, s.unread(points))
}

func hostFacts(kind monitor.Kind, x *monitor.Host) []fact {
	facts := []fact{
		{"Lines/s", lineRate(x), "now"},
		{"Lag", ageText(x.UntabledSeconds), "oldest line not in the table"},
		{"Not stored", ageText(x.UnstoredSeconds), "oldest line not in table and archive"},
		{"Unread", bytesText(x.WrittenBytes - x.ReadBytes), "in " + logsText(x.Files)},
		{"Governor", governorText(&x.Governor), visible(x.Governor.Reason)},
	}
	if kind == monitor.Agent {
		facts[1].Note = "oldest line that the collector does not have"
	}
	if x.Arrived != nil {
		facts = append(facts, fact{"Lines received", countText(x.Arrived.Lines), "since the start of this process"})
	}
	if kind == monitor.Collector {
		facts = append(facts, fact{"Last message", ageText(max(x.SeenSeconds, 0.1)) + " ago", visible(x.Agent)})
	}
	if x.LostFiles > 0 {
		facts = append(facts, fact{"Lost", bytesText(x.LostBytes), "deleted unread, in " + logsText(x.LostFiles)})
	}
	return facts
}

func logsText(n int64) string {
	if n == 1 {
		return "1 log"
	}
	return countText(n) + " logs"
}

func lineRate(x *monitor.Host) string {
	if x.SeenSeconds > silentSeconds {
		return "–"
	}
	return rateText(x.LinesPerSecond)
}

func governorText(g *monitor.Governor) string {
	switch governorOf(g) {
	case history.GovernorPaused:
		return "paused " + ageText(g.PausedSeconds)
	case history.GovernorLimited:
		return bytesText(g.BytesPerSecond) + "/s"
	}
	return "no limit"
}

func logRows(now time.Time, logs []Log) (rows []logRow) {
	for _, l := range logs {
		r := logRow{Path: visible(l.Path), Read: bytesText(l.Read), Stored: bytesText(l.Stored), Share: "all", Newest: "–", Waiting: l.Stored < l.Read, Gone: l.Gone}
		if r.Waiting {
			r.Share = "all but " + bytesText(l.Read-l.Stored)
		}
		if !l.Newest.IsZero() {
			r.Newest = ageText(max(now.Sub(l.Newest).Seconds(), 0.1)) + " ago"
		}
		rows = append(rows, r)
	}
	return rows
}

// changeRows returns up to maxChanges rows, the newest change first, with the time that each state
// lasted.
func changeRows(now time.Time, changes []history.Change) (rows []changeRow) {
	for i := len(changes) - 1; i >= 0 && len(rows) < maxChanges; i-- {
		c := &changes[i]
		end := now
		if i+1 < len(changes) {
			end = changes[i+1].At
		}
		rows = append(rows, changeRow{At: c.At.UTC(), Level: c.Level.String(), Text: visible(c.Reason), Lasted: ageText(max(end.Sub(c.At).Seconds(), 0.1))})
	}
	return rows
}

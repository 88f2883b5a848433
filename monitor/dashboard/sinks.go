package dashboard

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"sluice/monitor"
)

// sinkRow is the row of a sink: table, archive, spool or checkpoint.
type sinkRow struct {
	Name, Status, What string
	Failing            bool
	Since              time.Time
	For                string
	Attempts           int
	Error              string
}

type sinksPage struct {
	head
	Sinks    []sinkRow
	Facts    []fact
	Reasons  []string
	Warnings []string
}

// purposes are the descriptions of the sinks.
var purposes = map[string]string{
	monitor.Table: "rows of typed cells", monitor.Archive: "the lines as they were, gzip files", monitor.Spool: "what is received and not stored yet, on this machine",
	monitor.Checkpoint: "how far each log is stored", "start": "what the process waits for before it can start",
}

func sinkRows(now time.Time, h *monitor.Health) (rows []sinkRow) {
	for _, name := range slices.Sorted(maps.Keys(h.Process.Sinks)) {
		s := h.Process.Sinks[name]
		r := sinkRow{Name: name, Status: string(s.Status), What: purposes[name], Attempts: s.Attempts, Error: visible(s.Error)}
		if s.FailingSeconds > 0 {
			r.Failing, r.For = true, ageText(s.FailingSeconds)
			r.Since = now.Add(-time.Duration(s.FailingSeconds * float64(time.Second))).UTC()
		}
		rows = append(rows, r)
	}
	return rows
}

func (p *pages) sinks(w http.ResponseWriter, _ *http.Request) {
	f := p.Look()
	h := f.Check(p.Thresholds)
	c := f.Counts
	data := sinksPage{head: p.head(&f, &h, "Sinks", "sinks"), Sinks: sinkRows(f.Now, &h), Reasons: texts(h.Process.Reasons), Warnings: texts(h.Process.Warnings)}
	buffer := fact{"Spool", bytesText(f.BufferBytes), countText(int64(f.Segments)) + " files"}
	if f.Kind == monitor.Agent {
		buffer = fact{"In flight", bytesText(f.BufferBytes), ""}
	}
	if f.BufferMaxBytes > 0 {
		buffer.Value += " of " + bytesText(f.BufferMaxBytes)
	}
	data.Facts = []fact{{"Lines", countText(c.Lines), "since the start of this process"}, buffer}
	if f.Kind != monitor.Agent {
		data.Facts = append(data.Facts,
			fact{"Rows written", countText(c.Rows), "to the table"},
			fact{"For the table", bytesText(f.UntabledBytes), "of lines wait"},
			fact{"Files archived", countText(c.Segments), "since the start of this process"})
	}
	p.show(w, http.StatusOK, "sinks.html", &data)
}

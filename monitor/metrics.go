package monitor

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// exporter is a prometheus.Collector for a Fleet. Each scrape calls look.
type exporter struct {
	look       func() Fleet
	thresholds Thresholds
}

// Describe sends nothing, which makes this an unchecked collector: the hosts, and so the metrics,
// are not known in advance.
func (exporter) Describe(chan<- *prometheus.Desc) {}

const (
	count = prometheus.CounterValue
	gauge = prometheus.GaugeValue
)

// ofHosts are the metrics of each host, with the prefix sluice_host_.
var ofHosts = []struct {
	kind       prometheus.ValueType
	name, help string
	value      func(h *Host) float64
}{
	{gauge, "healthy", "0 if /health says ERROR of the host, else 1.", func(h *Host) float64 { return truth(h.Status != Failing) }},
	{gauge, "level", "0 if /health says OKAY of the host, 1 for WARN, 2 for ERROR.", func(h *Host) float64 { return float64(h.Status.rank()) }},
	{gauge, "acknowledged", "1 while an operator's acknowledgement of the host's problems lasts, else 0.", func(h *Host) float64 { return truth(h.Acknowledged != nil) }},
	{gauge, "silent_seconds", "Since the host last said something.", func(h *Host) float64 { return h.SeenSeconds }},
	{gauge, "connections", "Open connections of the host.", func(h *Host) float64 { return float64(h.Connections) }},
	{gauge, "files", "Logs that are followed.", func(h *Host) float64 { return float64(h.Files) }},
	{gauge, "written_bytes", "Length of all logs that are there.", func(h *Host) float64 { return float64(h.WrittenBytes) }},
	{gauge, "read_bytes", "Bytes of these that are read.", func(h *Host) float64 { return float64(h.ReadBytes) }},
	{gauge, "received_bytes", "Bytes of these that are on a collector's disk.", func(h *Host) float64 { return float64(h.ReceivedBytes) }},
	{gauge, "stored_bytes", "Bytes of these that are in table and archive.", func(h *Host) float64 { return float64(h.StoredBytes) }},
	{gauge, "unreceived_age_seconds", "Age of the oldest line that is not received; 0: there is none.", func(h *Host) float64 { return h.UnreceivedSeconds }},
	{gauge, "untabled_age_seconds", "Age of the oldest line that is not in the table; 0: there is none.", func(h *Host) float64 { return h.UntabledSeconds }},
	{gauge, "unstored_age_seconds", "Age of the oldest line that is not in table and archive; 0: there is none.", func(h *Host) float64 { return h.UnstoredSeconds }},
	{gauge, "governor_paused_seconds", "For how long the governor has paused; 0: it reads.", func(h *Host) float64 { return h.Governor.PausedSeconds }},
	{count, "lost_bytes_total", "Bytes that were deleted before they were read.", func(h *Host) float64 { return float64(h.LostBytes) }},
	{count, "sent_lines_total", "Lines that the host sent, those sent again too.", func(h *Host) float64 { return float64(h.Lines) }},
	{count, "lines_total", "Lines of the host that were received, each once.", func(h *Host) float64 { return float64(h.arrived().Lines) }},
	{count, "line_bytes_total", "Bytes of these lines.", func(h *Host) float64 { return float64(h.arrived().Bytes) }},
	{count, "parse_errors_total", "Lines of these that did not parse.", func(h *Host) float64 { return float64(h.arrived().ParseErrors) }},
	{count, "busy_total", "Batches of the host that were not taken for the time being.", func(h *Host) float64 { return float64(h.Busy) }},
	{count, "refused_total", "Batches of the host that were refused.", func(h *Host) float64 { return float64(h.Refused) }},
}

// ofProcess are the metrics of the process, with the prefix sluice_.
var ofProcess = []struct {
	kind       prometheus.ValueType
	name, help string
	value      func(f *Fleet) float64
}{
	{count, "lines_total", "Lines read or received, each once.", func(f *Fleet) float64 { return float64(f.Counts.Lines) }},
	{count, "line_bytes_total", "Bytes of these lines.", func(f *Fleet) float64 { return float64(f.Counts.Bytes) }},
	{count, "accepted_lines_total", "Lines that are on disk, of an agent on its collector's.", func(f *Fleet) float64 { return float64(f.Counts.Accepted) }},
	{count, "batches_total", "Batches of these.", func(f *Fleet) float64 { return float64(f.Counts.Batches) }},
	{count, "table_rows_total", "Rows written to the table.", func(f *Fleet) float64 { return float64(f.Counts.Rows) }},
	{count, "parse_errors_total", "Lines that did not parse; they are stored too.", func(f *Fleet) float64 { return float64(f.Counts.ParseErrors) }},
	{count, "archived_segments_total", "Files stored in the archive.", func(f *Fleet) float64 { return float64(f.Counts.Segments) }},
	{count, "read_failures_total", "Times a log or a directory could not be read.", func(f *Fleet) float64 { return float64(f.Counts.Failures) }},
	{gauge, "buffer_bytes", "Bytes in the spool, or in an agent's window.", func(f *Fleet) float64 { return float64(f.BufferBytes) }},
	{gauge, "buffer_max_bytes", "Bytes that may be there; 0: no bound.", func(f *Fleet) float64 { return float64(f.BufferMaxBytes) }},
	{gauge, "spool_segments", "Files in the spool.", func(f *Fleet) float64 { return float64(f.Segments) }},
	{gauge, "untabled_bytes", "Bytes of lines that are received and not in the table.", func(f *Fleet) float64 { return float64(f.UntabledBytes) }},
}

// Collect sends the current metrics. Prometheus may call it concurrently.
func (e exporter) Collect(out chan<- prometheus.Metric) {
	f := e.look()
	health := f.Check(e.thresholds)
	send := func(kind prometheus.ValueType, name, help string, v float64, label, of string) {
		var labels, values []string
		if label != "" {
			labels, values = []string{label}, []string{of}
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("sluice_"+name, help, labels, nil), kind, v, values...)
	}
	send(gauge, "build_info", "1, for its label.", 1, "version", f.Version)
	send(gauge, "healthy", "0 if /health says ERROR, else 1.", truth(health.Well()), "", "")
	for _, m := range ofProcess {
		send(m.kind, m.name, m.help, m.value(&f), "", "")
	}
	for name, s := range health.Process.Sinks {
		send(gauge, "sink_failing_seconds", "For how long the sink has failed; 0: it works.", s.FailingSeconds, "sink", name)
	}
	send(gauge, "level", "0 if /health says OKAY, 1 for WARN, 2 for ERROR.", float64(health.Status.rank()), "", "")
	if f.Disk != nil {
		send(gauge, "disk_free_bytes", "Bytes that are free on the disk of the spool, or of an agent's data.", float64(f.Disk.FreeBytes), "", "")
		send(gauge, "disk_full_seconds", "When that disk is full at the present rate; 0: it does not fill.", f.Disk.FullSeconds, "", "")
	}
	sent := map[ProblemKind]bool{}
	for _, p := range health.Process.Problems {
		if !sent[p.Kind] {
			sent[p.Kind] = true
			send(gauge, "trouble", "Level of each kind of problem that the process has: 1 for WARN, 2 for ERROR.", float64(p.Level.rank()), "kind", string(p.Kind))
		}
	}
	for name, h := range health.Metrics {
		e.hostSigns(out, name, &h)
		for _, m := range ofHosts {
			send(m.kind, "host_"+m.name, m.help, m.value(&h), "host", name)
		}
	}
}

var (
	hostProblem = prometheus.NewDesc("sluice_host_trouble", "Level of each kind of problem that the host has: 1 for WARN, 2 for ERROR.", []string{"host", "kind"}, nil)
	hostInfo    = prometheus.NewDesc("sluice_host_info", "1, for its label: the version of the host's agent.", []string{"host", "version"}, nil)
	hostClock   = prometheus.NewDesc("sluice_host_clock_offset_seconds", "By how much the host's clock is ahead of this process's.", []string{"host"}, nil)
	hostExpiry  = prometheus.NewDesc("sluice_host_certificate_expires_timestamp_seconds", "When the host's certificate expires.", []string{"host"}, nil)
)

// hostSigns sends the metrics that only some hosts have: problems, version, clock offset and
// certificate expiry.
func (exporter) hostSigns(out chan<- prometheus.Metric, name string, h *Host) {
	sent := map[ProblemKind]bool{}
	for _, p := range h.Problems {
		if !sent[p.Kind] {
			sent[p.Kind] = true
			out <- prometheus.MustNewConstMetric(hostProblem, gauge, float64(p.Level.rank()), name, string(p.Kind))
		}
	}
	if version, ok := strings.CutPrefix(h.Agent, "sluice "); ok {
		out <- prometheus.MustNewConstMetric(hostInfo, gauge, 1, name, strings.ToValidUTF8(version, ""))
	}
	if h.ClockOffsetSeconds != nil {
		out <- prometheus.MustNewConstMetric(hostClock, gauge, *h.ClockOffsetSeconds, name)
	}
	if !h.CertificateExpires.IsZero() {
		out <- prometheus.MustNewConstMetric(hostExpiry, gauge, float64(h.CertificateExpires.Unix()), name)
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

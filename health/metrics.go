package health

import "github.com/prometheus/client_golang/prometheus"

// exporter is a Fleet for Prometheus, looked at when it is asked for.
type exporter struct{ look func() Fleet }

// Describe sends nothing: which hosts there are is known when they have come.
func (exporter) Describe(chan<- *prometheus.Desc) {}

// Collect is for Prometheus.
func (e exporter) Collect(out chan<- prometheus.Metric) {
	f := e.look()
	send := func(kind prometheus.ValueType, name, help string, v float64, host ...string) {
		var labels []string
		if len(host) > 0 {
			labels = []string{"host"}
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("sluice_"+name, help, labels, nil), kind, v, host...)
	}
	count, gauge := prometheus.CounterValue, prometheus.GaugeValue
	send(count, "received_lines_total", "Lines received, each once.", float64(f.Counts.Lines))
	send(count, "received_bytes_total", "Bytes of lines received.", float64(f.Counts.Bytes))
	send(count, "received_batches_total", "Batches received.", float64(f.Counts.Batches))
	send(count, "table_rows_total", "Rows written to the table.", float64(f.Counts.Rows))
	send(count, "parse_errors_total", "Lines that did not parse; they are stored all the same.", float64(f.Counts.ParseErrors))
	send(count, "archived_segments_total", "Files stored in the archive.", float64(f.Counts.Segments))
	send(gauge, "spool_bytes", "Bytes in the spool.", float64(f.State.SpoolBytes))
	send(gauge, "spool_segments", "Files in the spool.", float64(f.State.Segments))
	send(gauge, "untabled_bytes", "Bytes of lines that are received and not in the table.", float64(f.State.UntabledBytes))
	send(gauge, "troubles", "Things that fail and are tried again.", float64(len(f.State.Troubles)))
	for _, h := range f.Hosts {
		send(gauge, "host_last_seen_timestamp_seconds", "When the host last said something.", float64(h.Seen.UnixMilli())/1000, h.Name)
		send(gauge, "host_connections", "Open connections of the host.", float64(h.Connections), h.Name)
		send(count, "host_received_lines_total", "Lines that the host sent, those sent again too.", float64(h.Lines), h.Name)
		send(count, "host_received_bytes_total", "Bytes of lines that the host sent, those sent again too.", float64(h.Bytes), h.Name)
		send(count, "host_busy_total", "Batches of the host that were not taken for the time being.", float64(h.Busy), h.Name)
		send(count, "host_refused_total", "Batches of the host that were refused.", float64(h.Refused), h.Name)
	}
}

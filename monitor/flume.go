package monitor

import "strconv"

// The names of all Flume counters by component type (org.apache.flume.instrumentation). Reports
// contain all of them, those without a value as 0, because a scraper may expect any of them.
var (
	flumeSource = []string{"EventReceivedCount", "EventAcceptedCount", "AppendReceivedCount", "AppendAcceptedCount", "AppendBatchReceivedCount",
		"AppendBatchAcceptedCount", "OpenConnectionCount", "EventReadFail", "ChannelWriteFail", "GenericProcessingFail"}
	flumeChannel = []string{"ChannelSize", "ChannelCapacity", "ChannelFillPercentage", "EventPutAttemptCount", "EventPutSuccessCount",
		"EventTakeAttemptCount", "EventTakeSuccessCount"}
	flumeSink = []string{"ConnectionCreatedCount", "ConnectionClosedCount", "ConnectionFailedCount", "BatchEmptyCount", "BatchUnderflowCount",
		"BatchCompleteCount", "EventDrainAttemptCount", "EventDrainSuccessCount", "EventWriteFail", "ChannelReadFail"}
)

// flumeMetrics returns the content of /metrics.json: the report of Flume's JSON monitoring, with
// its names. The spool, or the window of an agent, is a channel; its size is in bytes.
func (f *Fleet) flumeMetrics() map[string]map[string]string {
	report := map[string]map[string]string{}
	add := func(kind, name string, all []string, known map[string]int64) map[string]string {
		x := map[string]string{"Type": kind, "StartTime": strconv.FormatInt(f.Began.UnixMilli(), 10), "StopTime": "0"}
		for _, counter := range all {
			x[counter] = strconv.FormatInt(known[counter], 10)
		}
		report[kind+"."+name] = x
		return x
	}
	c := f.Counts
	open, busy, refused := int64(0), int64(0), int64(0)
	for _, h := range f.Hosts {
		open, busy, refused = open+int64(h.Connections), busy+h.Busy, refused+h.Refused
	}
	source, channel, taken := "logs", "spool", c.Rows
	switch f.Kind {
	case Collector:
		source = "agents"
	case Agent:
		channel, taken = "window", c.Accepted
	}
	add("SOURCE", source, flumeSource, map[string]int64{"EventReceivedCount": c.Lines, "EventAcceptedCount": c.Lines,
		"AppendBatchReceivedCount": c.Batches + busy + refused, "AppendBatchAcceptedCount": c.Batches, "OpenConnectionCount": open,
		"EventReadFail": c.Failures, "ChannelWriteFail": busy, "GenericProcessingFail": refused})
	fill := 0.0
	if f.BufferMaxBytes > 0 {
		fill = 100 * float64(f.BufferBytes) / float64(f.BufferMaxBytes)
	}
	add("CHANNEL", channel, flumeChannel, map[string]int64{"ChannelSize": f.BufferBytes, "ChannelCapacity": f.BufferMaxBytes,
		"EventPutAttemptCount": c.Lines, "EventPutSuccessCount": c.Lines, "EventTakeAttemptCount": taken, "EventTakeSuccessCount": taken},
	)["ChannelFillPercentage"] = strconv.FormatFloat(fill, 'f', -1, 64)
	if f.Kind == Agent {
		add("SINK", "collector", flumeSink, map[string]int64{"BatchCompleteCount": c.Batches, "EventDrainAttemptCount": c.Lines, "EventDrainSuccessCount": c.Accepted})
		return report
	}
	failed := func(name string) int64 { return int64(f.Sinks[name].Attempts) }
	add("SINK", Table, flumeSink, map[string]int64{"EventDrainAttemptCount": c.Rows, "EventDrainSuccessCount": c.Rows, "EventWriteFail": failed(Table)})
	add("SINK", Archive, flumeSink, map[string]int64{"BatchCompleteCount": c.Segments, "EventWriteFail": failed(Archive)})
	return report
}

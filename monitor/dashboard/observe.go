package dashboard

import (
	"math"
	"slices"

	"sluice/monitor"
	"sluice/monitor/history"
)

// Observations returns the state of the hosts of h as the history stores it. A host that sends to
// another collector is not observed: no lines of it here are no fall of its traffic.
func Observations(h *monitor.Health) []history.Observation {
	all := make([]history.Observation, 0, len(h.Metrics))
	for name, x := range h.Metrics {
		if x.Elsewhere && x.Status == monitor.Okay && x.UnstoredSeconds == 0 {
			continue
		}
		o := history.Observation{
			Host: name, UntabledSeconds: x.UntabledSeconds, UnstoredSeconds: x.UnstoredSeconds, UnreadBytes: max(0, x.WrittenBytes-x.ReadBytes),
			Governor: governorOf(&x.Governor), Level: levelOf(x.Status),
		}
		if reasons := reasonsOf(&x); len(reasons) > 0 {
			o.Reason = reasons[0]
		}
		if a := x.Arrived; a != nil {
			o.Bytes, o.ParseErrors = a.Bytes, a.ParseErrors
			o.ByClass = [history.Classes]int64{a.ByClass[0] + a.ByClass[1], a.ByClass[2], a.ByClass[3], a.ByClass[4], a.ByClass[5]}
		} else { // an agent does not parse its lines
			o.Bytes, o.ByClass[0] = x.Bytes, x.Lines
		}
		all = append(all, o)
	}
	return all
}

// reasonsOf returns the texts of a host's errors, then of its warnings.
func reasonsOf(x *monitor.Host) []string { return slices.Concat(x.Reasons, x.Warnings) }

func levelOf(status monitor.Level) history.Level {
	switch status {
	case monitor.Okay:
		return history.Okay
	case monitor.Warn:
		return history.Warn
	}
	return history.Error
}

func governorOf(g *monitor.Governor) history.Governor {
	switch {
	case g.PausedSeconds > 0:
		return history.GovernorPaused
	case g.BytesPerSecond > 0 && g.BytesPerSecond < math.MaxInt64:
		return history.GovernorLimited
	}
	return history.GovernorFree
}

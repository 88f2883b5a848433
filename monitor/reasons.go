package monitor

import (
	"fmt"
	"slices"
	"time"

	"sluice/ingest/receiver"
	"sluice/monitor/watch"
)

// judge calculates a host's problems and its level. This is the only place where that is done.
// offset is how far the clocks of most hosts are ahead of this process's own (clockOffset).
func (h *Host) judge(name string, f *Fleet, t Thresholds, offset time.Duration) {
	problems := slices.Concat(h.absence(f, t), h.lag(f, t), h.problems)
	if h.away {
		problems = append(problems, h.rejections(f.Now)...)
	} else {
		problems = h.addOwn(problems, f, offset)
	}
	byLevel(problems)
	h.Problems, h.Status = problems, levelOf(problems)
	h.Reasons, h.Warnings = textsOf(problems, Failing), textsOf(problems, Warn)
	if h.Acknowledged.Active(f.Now) {
		if h.Status == Failing {
			h.Status = Warn
		}
		h.Warnings = append([]string{h.Acknowledged.String()}, h.Warnings...)
	} else {
		h.Acknowledged = nil
	}
}

// addOwn adds the problems of the host itself and of its lines, which only the collector reports to
// which it sends.
func (h *Host) addOwn(problems []Problem, f *Fleet, offset time.Duration) []Problem {
	if h.Refused > 0 && f.Now.Sub(h.refusedAt) < receiver.FaultFor {
		problems = append(problems, Refused.New(fmt.Sprintf("%d of its batches were refused", h.Refused)))
	}
	if files, bytes := h.unacknowledged(); files > 0 && bytes == 0 {
		problems = append(problems, Lost.New(fmt.Sprintf("lines in %d logs were deleted before they were read; how many is not known", files)))
	} else if files > 0 {
		problems = append(problems, Lost.New(fmt.Sprintf("%d bytes in %d logs were deleted before they were read", bytes, files)))
	} else {
		problems = slices.DeleteFunc(problems, func(p Problem) bool { return p.Kind == Lost })
	}
	return slices.Concat(problems, h.rejections(f.Now), h.certificates(f.Now), h.unparsable(), h.clock(offset), h.restarts(f.Now), h.otherVersion(f.Version))
}

// absence returns a problem if an expected host is silent for too long.
func (h *Host) absence(f *Fleet, t Thresholds) []Problem {
	if h.Elsewhere || !h.missed || h.silence <= t.SilentAfter {
		return nil
	}
	if h.NeverHeard {
		text := fmt.Sprintf("never heard, expected since %s", h.ExpectedSince.UTC().Format(time.RFC3339))
		if h.similar != "" {
			text += fmt.Sprintf("; a host %.100q sends: if it is this one, expect it by that name", h.similar)
		}
		return []Problem{NeverHeard.New(text)}
	}
	text := fmt.Sprintf("silent for %s", span(h.SeenSeconds))
	if h.lapsed {
		text += "; it reported that it is with another collector and did not repeat that, as agents do every 10 min"
	}
	return []Problem{Silent.New(text)}
}

// lag returns problems if lines have waited for too long, or the governor has paused for too long.
func (h *Host) lag(f *Fleet, t Thresholds) (problems []Problem) {
	// Time in which the process did not run (a suspended machine) is not counted as lag.
	over := func(seconds float64, limit time.Duration) bool {
		if seconds <= limit.Seconds() {
			return false
		}
		return f.Frozen == nil || seconds-f.Frozen(span(seconds)).Seconds() > limit.Seconds()
	}
	switch {
	case over(h.UnreceivedSeconds, t.MaxLag):
		problems = append(problems, Unreceived.New(fmt.Sprintf("its oldest line is %s old and not received", span(h.UnreceivedSeconds))))
	case over(h.UntabledSeconds, t.MaxLag):
		problems = append(problems, Untabled.New(fmt.Sprintf("its oldest line is %s old and not in the table", span(h.UntabledSeconds))))
	case t.RollInterval > 0 && over(h.UnstoredSeconds, t.MaxLag+t.RollInterval):
		problems = append(problems, Unarchived.New(fmt.Sprintf("its oldest line is %s old and not in the archive", span(h.UnstoredSeconds))))
	}
	if over(h.Governor.PausedSeconds, t.MaxLag) {
		problems = append(problems, Paused.New(fmt.Sprintf("its governor pauses for %s: %s", span(h.Governor.PausedSeconds), h.Governor.Reason)))
	}
	return problems
}

// unacknowledged returns the host's loss less the part that was acknowledged here.
func (h *Host) unacknowledged() (files, bytes int64) {
	x := watch.Host{Lost: h.lost, Seen: h.lossSeen, SeenNumber: h.lossSeenNumber}
	x.Lost.Files, x.Lost.Bytes = h.LostFiles, h.LostBytes // those of a process's own logs have no numbers
	lost := x.Unacknowledged()
	return lost.Files, lost.Bytes
}

// maxRestarts is the number of restarts in watch.RestartWindow that is not reported: an upgrade and
// one or two changes of the configuration.
const maxRestarts = 3

func (h *Host) restarts(now time.Time) []Problem {
	if h.Restarts <= maxRestarts {
		return nil
	}
	return []Problem{Restarts.New(fmt.Sprintf("its agent restarted %d times in the last %s: look at its log (journalctl -u sluice-agent)", h.Restarts, watch.RestartWindow))}
}

const (
	expiresSoon = 21 * 24 * time.Hour
	expiresNow  = 3 * 24 * time.Hour
)

// CertificateProblem returns a problem if a certificate has expired or expires soon, else nil. A
// zero notAfter means that the expiry is not known. A certificate with a short lifetime is renewed
// late, so it is reported only in the last third of its lifetime, and as an error in the last
// tenth. what names the certificate in the text.
func CertificateProblem(now, notBefore, notAfter time.Time, what string) *Problem {
	left, lifetime := notAfter.Sub(now), notAfter.Sub(notBefore)
	if notAfter.IsZero() || left >= min(expiresSoon, lifetime/3) {
		return nil
	}
	const day = "2006-01-02 15:04 UTC"
	kind, text := ExpiresSoon, fmt.Sprintf("%s expires on %s, in %d days: renew it", what, notAfter.UTC().Format(day), int(left.Hours()/24))
	switch {
	case left <= 0:
		kind, text = Expired, fmt.Sprintf("%s expired on %s: renew it", what, notAfter.UTC().Format(day))
	case left < min(expiresNow, lifetime/10):
		kind = Expired
	}
	p := kind.New(text)
	return &p
}

// certificates returns the problem of the host's own certificate. Its CA's certificate is checked
// by the process that uses it.
func (h *Host) certificates(now time.Time) []Problem {
	if p := CertificateProblem(now, h.certificateIssued, h.CertificateExpires, "its certificate"); p != nil {
		return []Problem{*p}
	}
	return nil
}

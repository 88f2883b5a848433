package monitor

import (
	"cmp"
	"slices"
	"strings"

	"sluice/ingest/protocol"
)

// Level is the severity of a state.
type Level string

// The levels. An uptime checker gets 503 for Failing only.
const (
	Okay    Level = "OKAY"
	Warn    Level = "WARN"
	Failing Level = "ERROR"
)

// rank returns 0 to 2, greater for a worse level. An unknown level counts as Failing.
func (l Level) rank() int {
	switch l {
	case Okay, "":
		return 0
	case Warn:
		return 1
	}
	return 2
}

// worst returns the worse of two levels.
func worst(a, b Level) Level {
	if b.rank() > a.rank() {
		return b
	}
	return a
}

// Problem is one thing that is wrong with a host or a process.
type Problem struct {
	Kind  ProblemKind `json:"kind"`
	Level Level       `json:"level"`
	Text  string      `json:"text"`
}

// ProblemKind is the kind of a problem, one of a fixed list, so that alerts can be written for it.
type ProblemKind string

// Kinds of problems of a host.
const (
	NeverHeard    ProblemKind = "never_heard"
	Silent        ProblemKind = "silent"
	Unreceived    ProblemKind = "unreceived"
	Untabled      ProblemKind = "untabled"
	Unarchived    ProblemKind = "unarchived"
	Paused        ProblemKind = "paused"
	Refused       ProblemKind = "refused"
	Lost          ProblemKind = "lost"
	Unreadable    ProblemKind = "unreadable"
	Rejected      ProblemKind = "rejected"
	OverShare     ProblemKind = "over_share"
	SlowFormat    ProblemKind = "slow_format"
	Faulty        ProblemKind = "protocol"
	NoCollector   ProblemKind = "no_collector"
	CollectorBusy ProblemKind = "collector_busy"
	Expired       ProblemKind = "certificate"
	ExpiresSoon   ProblemKind = "certificate_soon"
	Unparsable    ProblemKind = "unparsable"
	ClockOff      ProblemKind = "clock"
	FutureLines   ProblemKind = "future_lines"
	Restarts      ProblemKind = "restarts"
	OtherVersion  ProblemKind = "version"
	UnreadLog     ProblemKind = "unread_log"
	Traffic       ProblemKind = "traffic"
	SharedName    ProblemKind = "shared_name"
	Noted         ProblemKind = "other"
)

// Kinds of problems of a process. Expired, ExpiresSoon and ClockOff also occur there.
const (
	SinkFails     ProblemKind = "sink"
	SinkRetries   ProblemKind = "sink_retrying"
	DiskShort     ProblemKind = "disk_short"
	DiskFills     ProblemKind = "disk_fills"
	Connections   ProblemKind = "connections"
	StateUnsaved  ProblemKind = "state"
	ListUnread    ProblemKind = "expect_file"
	MessageUnsent ProblemKind = "message"
	Misconfigured ProblemKind = "configuration"
)

// kindOfProblem is a row of kinds.
type kindOfProblem struct {
	kind    ProblemKind
	level   Level
	meaning string
}

// kinds are all kinds of problems with their levels. Tests compare documents, metrics and alert
// rules with it.
var kinds = []kindOfProblem{
	{NeverHeard, Failing, "expected, and never heard since"},
	{Silent, Failing, "no message for --silent-after"},
	{Unreceived, Failing, "a line older than --max-lag is not received"},
	{Untabled, Failing, "a line older than --max-lag is not in the table"},
	{Unarchived, Failing, "a line older than --max-lag and --roll-interval is not in the archive"},
	{Paused, Failing, "its governor pauses for longer than --max-lag"},
	{Refused, Failing, "batches were refused"},
	{Lost, Failing, "lines were deleted before they were read"},
	{Unreadable, Failing, "its agent reports logs that it cannot read or that are refused"},
	{Rejected, Failing, "a connection with its certificate was rejected"},
	{OverShare, Failing, "it waits for its share of the spool or for new files"},
	{SlowFormat, Failing, "its lines take too long to parse"},
	{Faulty, Failing, "it breaks the protocol or its quota"},
	{NoCollector, Failing, "the agent has no collector"},
	{CollectorBusy, Failing, "the collector takes nothing for longer than --max-lag"},
	{Expired, Failing, "a certificate has expired, expires within 3 days, or cannot be used"},
	{ExpiresSoon, Warn, "a certificate expires within 21 days"},
	{Unparsable, Warn, "many lines of a log do not parse"},
	{ClockOff, Warn, "a clock differs by 30 s or more"},
	{FutureLines, Warn, "lines have times in the future"},
	{Restarts, Warn, "the agent restarted more than 3 times in 10 minutes"},
	{UnreadLog, Warn, "its agent has warnings, for example a log that no source reads"},
	{Traffic, Warn, "far fewer lines than its share of the traffic"},
	{SharedName, Warn, "agents at two addresses use its name"},
	{Noted, Warn, "another warning, which its text describes"},
	{OtherVersion, Warn, "versions differ by more than one minor version, or builds by 30 days"},
	{SinkFails, Failing, "table, archive, spool or checkpoint fails for longer than --max-lag"},
	{SinkRetries, Warn, "table, archive, spool or checkpoint fails and is retried"},
	{DiskShort, Failing, "less is free on the disk than the spool may still take"},
	{DiskFills, Warn, "the disk is full within 6 hours at the present rate"},
	{Connections, Warn, "connections are rejected because there are too many"},
	{StateUnsaved, Warn, "what must survive a restart cannot be saved, or was damaged"},
	{ListUnread, Warn, "--expect-file cannot be read or lists no host"},
	{MessageUnsent, Warn, "a message to people could not be sent"},
	{Misconfigured, Failing, "the process cannot work as it is configured"},
}

// New returns a problem of the kind, at the level that kinds has for it. A kind that is not in
// kinds is an error.
func (k ProblemKind) New(text string) Problem {
	i := slices.IndexFunc(kinds, func(row kindOfProblem) bool { return row.kind == k })
	if i < 0 {
		return Problem{k, Failing, text}
	}
	return Problem{k, kinds[i].level, text}
}

// reportOf returns the problem that an agent reported as a text. One that begins with a kind in
// brackets, "[unparsable] …", is of that kind; any other is UnreadLog if it is marked as a
// warning, else Unreadable.
func reportOf(text string) Problem {
	text, warning := strings.CutPrefix(text, protocol.WarningPrefix)
	if rest, ok := strings.CutPrefix(text, "["); ok {
		if kind, what, ok := strings.Cut(rest, "] "); ok && slices.ContainsFunc(kinds, func(row kindOfProblem) bool { return string(row.kind) == kind }) {
			return ProblemKind(kind).New(what)
		}
	}
	if warning {
		return UnreadLog.New(text)
	}
	return Unreadable.New(text)
}

// byLevel sorts problems, the worst first; the order within a level is kept.
func byLevel(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(b.Level.rank(), a.Level.rank()) })
}

// textsOf returns the texts of problems at a level.
func textsOf(problems []Problem, level Level) (texts []string) {
	for _, p := range problems {
		if p.Level == level {
			texts = append(texts, p.Text)
		}
	}
	return texts
}

// levelOf returns the level of the worst problem.
func levelOf(problems []Problem) Level {
	level := Okay
	for _, p := range problems {
		level = worst(level, p.Level)
	}
	return level
}

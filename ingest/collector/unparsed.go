package collector

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/schema"
)

// Unparsed is a log of which many lines do not parse. They are stored as raw lines.
type Unparsed struct {
	Path string `json:"path"`
	// Lines is the number of lines in the last minutes, Errors the number of those that did not
	// parse.
	Lines  int64 `json:"lines"`
	Errors int64 `json:"errors"`
	// InARow is the number of lines since the last one that did parse.
	InARow int64 `json:"in_a_row"`
	// Example is the beginning of a line that did not parse.
	Example string `json:"example"`
}

const (
	// parsingSpan is the length of the two spans in which lines are counted: the current one and
	// the one before.
	parsingSpan = 5 * time.Minute
	// A log is reported from unparsedInARow consecutive lines that do not parse, or from a share of
	// 1/unparsedShare of at least unparsedLines lines. Requests that are not HTTP do parse, so a
	// scanner causes neither.
	unparsedInARow, unparsedShare, unparsedLines = 20, 10, 100
	// maxExampleBytes is the limit of an example's length, maxUnparsedLogs of the logs of a host
	// that are counted.
	maxExampleBytes, maxUnparsedLogs = 200, 64
)

// parsing counts the lines of one host's logs that do not parse. A log is counted from its first
// such line on. It is safe for concurrent use.
type parsing struct {
	some atomic.Bool // logs is not empty

	mu   sync.Mutex
	logs map[string]*parsingLog
}

type parsingLog struct {
	present, before struct{ lines, errors int64 }
	began           time.Time // start of present
	inARow          int64
	example         string
}

// note counts the lines of a cut. data is the batch that contains the cut, and begins at offset in
// its stream.
func (n *parsing) note(now time.Time, path string, x *cut, data []byte, offset int64) {
	if x.errors == 0 && !n.some.Load() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.logs[path]
	if l == nil {
		if x.errors == 0 || len(n.logs) >= maxUnparsedLogs {
			return
		}
		if n.logs == nil {
			n.logs = map[string]*parsingLog{}
		}
		l = &parsingLog{began: now}
		n.logs[path] = l
		n.some.Store(true)
	}
	l.turn(now)
	lines := x.lines - x.holes
	if l.present.errors == 0 && x.errors > 0 {
		l.example = exampleOf(data[x.bad-offset:])
	}
	l.present.lines += lines
	l.present.errors += x.errors
	if x.badEnd < lines {
		l.inARow = 0
	}
	l.inARow += x.badEnd
}

// turn begins a new span if the current one is over.
func (l *parsingLog) turn(now time.Time) {
	age := now.Sub(l.began)
	if age < parsingSpan {
		return
	}
	l.before = l.present
	if age >= 2*parsingSpan {
		l.before = struct{ lines, errors int64 }{}
	}
	l.present, l.began = struct{ lines, errors int64 }{}, now
}

// list returns the logs that are to be reported, and forgets those without errors.
func (n *parsing) list(now time.Time) (all []Unparsed) {
	if !n.some.Load() {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for path, l := range n.logs {
		l.turn(now)
		lines, errors := l.present.lines+l.before.lines, l.present.errors+l.before.errors
		switch {
		case l.inARow >= unparsedInARow || lines >= unparsedLines && errors*unparsedShare >= lines:
			all = append(all, Unparsed{schema.PathText(path), lines, errors, l.inARow, l.example})
		case errors == 0 && l.inARow == 0:
			delete(n.logs, path)
		}
	}
	n.some.Store(len(n.logs) > 0)
	slices.SortFunc(all, func(a, b Unparsed) int {
		return cmp.Or(cmp.Compare(b.Errors, a.Errors), strings.Compare(a.Path, b.Path))
	})
	return all
}

// exampleOf returns the beginning of the first line in data, as printable text.
func exampleOf(data []byte) string {
	line, _, _, _ := schema.CutLine(data)
	return schema.PathText(string(line[:min(len(line), maxExampleBytes)]))
}

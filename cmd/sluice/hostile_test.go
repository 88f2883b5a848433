package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sluice/audit"
	"sluice/doctor"
	"sluice/monitor"
	"sluice/schema"
)

// hostileText is text from another host, such as a name or reason, with control characters.
const hostileText = "x\x1b]0;t\a\u202e\u2066\u061c\u009b2J\x7f\xff"

func TestNoCommandPrintsWhatATerminalActsUpon(t *testing.T) {
	s := monitor.Status{Host: hostileText}
	s.Governor.Reason = hostileText
	stream := &audit.Stream{StreamEntry: schema.StreamEntry{Stream: schema.Stream{Host: hostileText, Path: hostileText}},
		Named: []audit.Difference{{Text: hostileText}}}
	for name, show := range map[string]func(w io.Writer){
		"status": func(w io.Writer) { printStatus(w, &s, true, time.Now()) },
		"audit": func(w io.Writer) {
			printAudit(w, &audit.Report{Streams: []*audit.Stream{stream}, Files: []string{hostileText}, Foreign: []string{hostileText}}, false, 0)
		},
		"repair": func(w io.Writer) {
			printRepairs(w, &audit.Repairs{Restored: []string{hostileText}, Left: []string{hostileText}})
		},
		"doctor": func(w io.Writer) {
			(&doctorCmd{}).show(&app{stdout: w})(doctor.Result{Step: hostileText, Text: hostileText})
		},
		"top": func(w io.Writer) {
			w.Write(bytes.TrimSuffix(bytes.TrimPrefix(bytes.ReplaceAll(screen([]string{hostileText}, 200, 3), []byte(restOfLine), nil), []byte(toTheTop)), []byte(restOfScreen))) //nolint:errcheck // a buffer
		},
		"an error": func(w io.Writer) {
			(&app{ctx: context.Background(), stderr: w, log: slog.New(slog.DiscardHandler), cli: new(cli), logs: newLogWriter(io.Discard)}).status(errors.New(hostileText))
		},
		"a refused flag": func(w io.Writer) { run(context.Background(), []string{"--" + hostileText}, nil, io.Discard, w) },
	} {
		var b bytes.Buffer
		show(&b)
		if !strings.Contains(b.String(), `\x1b`) || strings.ContainsAny(b.String(), "\x1b\a\u202e\u2066\u061c\u009b\x7f") || strings.Contains(b.String(), "\xff") {
			t.Errorf("%s prints %q", name, &b)
		}
	}
}

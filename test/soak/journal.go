package soak

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// journal writes one line for each event, with the time since the start. It is safe for concurrent
// use.
type journal struct {
	mu    sync.Mutex
	began time.Time
	w     io.Writer
}

// newJournal starts a journal.
func newJournal(w io.Writer) *journal {
	return &journal{began: time.Now(), w: w}
}

// say writes a line; who is its source, such as fault, world or a client.
func (j *journal) say(who, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	const most = 400
	if len(text) > most {
		text = text[:most] + "…"
	}
	fmt.Fprintf(j.w, "%7.1f %-7s %s\n", time.Since(j.began).Seconds(), who, text)
}

// logger returns a logger that writes to the journal.
func (j *journal) logger(who string) *slog.Logger {
	return slog.New(journalHandler{j: j, who: who})
}

// journalHandler is a slog.Handler that ignores the time of a record, as the journal has its own.
type journalHandler struct {
	j    *journal
	who  string
	with string
}

func (h journalHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (h journalHandler) WithGroup(string) slog.Handler                { return h }

func (h journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.with += " " + a.String()
	}
	return h
}

func (h journalHandler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message + h.with
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	h.j.say(h.who, text)
	return nil
}

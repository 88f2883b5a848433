package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/monitor"
)

// terminal opens a pseudo-terminal with this number of columns and rows. What is written to tty can
// be read from screen.
func terminal(t *testing.T, columns, rows uint16) (screen, tty *os.File) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	must(err)
	t.Cleanup(func() { screen.Close() })
	must(unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	must(err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(err)
	must(unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}))
	return screen, tty
}

// TestTopShowsEachStatusAndRestoresTheTerminal checks that each status is shown, also while the
// server cannot be reached, and that Ctrl-C ends the command.
func TestTopShowsEachStatusAndRestoresTheTerminal(t *testing.T) {
	var looks atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := looks.Add(1)
		if n == 3 {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		h := monitor.Health{Status: "ERROR", Metrics: map[string]monitor.Host{fmt.Sprintf("web%02d", n): {Status: "ERROR", Reasons: []string{"silent"}}}}
		w.WriteHeader(http.StatusServiceUnavailable)
		json.NewEncoder(w).Encode(h)
	}))
	defer server.Close()
	screen, tty := terminal(t, 60, 10)
	c := command(t, "top", "--status", server.URL, "--interval", "100ms")
	c.Stdout = tty
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	var shown strings.Builder
	b := make([]byte, 64<<10)
	for reported := false; ; {
		n, err := screen.Read(b)
		if err != nil { // EIO: no process has the terminal open any more
			break
		}
		shown.Write(b[:n])
		if !reported && strings.Contains(shown.String(), "web04") {
			reported = true
			if err := c.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	text := shown.String()
	if !strings.HasPrefix(text, secondScreen) || !strings.HasSuffix(text, firstScreen) {
		t.Errorf("%q", text)
	}
	at := 0
	for _, what := range []string{"web01", "  silent", "web02", "it answered", "web04"} {
		i := strings.Index(text[at:], what)
		if i < 0 {
			t.Fatalf("%q is not shown behind what comes before it: %q", what, text)
		}
		at += i
	}
}

func TestAScreenHoldsNoMoreThanFits(t *testing.T) {
	lines := []string{"first, which is long", "second", "third", "fourth"}
	for _, test := range []struct {
		columns, rows int
		want          string
	}{
		{80, 24, "first, which is long|second|third|fourth"},
		{12, 5, "first, which| is long|second|third|fourth"},
		{80, 3, "first, which is long|second|and 2 more"},
		{12, 1, "and 5 more"},
	} {
		got := string(screen(lines, test.columns, test.rows))
		got = strings.TrimSuffix(strings.TrimPrefix(got, toTheTop), restOfLine+restOfScreen)
		if got = strings.ReplaceAll(got, restOfLine+"\r\n", "|"); got != test.want {
			t.Errorf("%d columns, %d rows: %q, want %q", test.columns, test.rows, got, test.want)
		}
	}
}

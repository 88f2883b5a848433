package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice/monitor"
	"sluice/print"
)

type topCmd struct {
	tlsFlags
	Status    string        `default:"http://127.0.0.1:4142" placeholder:"URL" help:"Address of the status server (--status-listen) of a collector, an agent or a run."`
	TokenFile string        `placeholder:"FILE" help:"File with the token of the server's --status-token-file."`
	Interval  time.Duration `default:"2s" placeholder:"TIME" help:"Refresh interval."`
	Once      bool          `help:"Print the status once and exit, with status 1 if there is an error. Default if standard output is not a terminal."`
}

// Help returns the detailed help text; kong calls it.
func (topCmd) Help() string {
	return `Shows the contents of /health until Ctrl-C: sinks and hosts, those with errors first,
with the reasons.

    sluice collector --status-listen :4142 …
    sluice top
    sluice top --once --status http://127.0.0.1:4142 || mail -s "logs" ops@example.com

UNREAD is the number of bytes that Apache wrote and the agent has not read. LAG is the age
of the oldest line that is not in the table (for an agent: that no collector received).
UNSTORED is the age of the oldest line that is not in both table and archive.`
}

// maxHealthBytes is the limit of bytes of a /health response, enough for ten thousand hosts.
const maxHealthBytes = 16 << 20

func (c *topCmd) Run(a *app) error {
	u, err := url.Parse(c.Status)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return usage("--status %s: write http://HOST:PORT, the --status-listen address of the other process", c.Status)
	}
	if c.Interval < 100*time.Millisecond {
		return usage("--interval must be at least 100ms")
	}
	ask, err := c.asker(u.JoinPath("health").String())
	if err != nil {
		return err
	}
	if file, ok := a.stdout.(*os.File); ok && isTerminal(file) && !c.Once {
		return c.show(a.ctx, file, ask)
	}
	h, err := ask.look(a.ctx)
	if err != nil {
		return err
	}
	for _, line := range h.Table() {
		if _, err := print.Textln(a.stdout, line); err != nil {
			return err
		}
	}
	if !h.Well() {
		return exitError(1)
	}
	return nil
}

// asker requests /health from a status server.
type asker struct {
	at     string
	token  string
	client *http.Client
}

// asker returns an asker with the token and the certificates of the flags.
func (c *topCmd) asker(at string) (*asker, error) {
	k := &asker{at: at, client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if c.TokenFile != "" {
		token, err := (&statusAccess{StatusTokenFile: c.TokenFile}).token()
		if err != nil {
			return nil, usage("--token-file: %w", err)
		}
		k.token = string(token)
	}
	certificates, err := c.files(true)
	if err != nil {
		return nil, err
	}
	if certificates != nil {
		config, err := certificates.read()
		if err != nil {
			return nil, usageError{err}
		}
		k.client.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config}
	}
	return k, nil
}

// look requests /health. The response has status 200 or 503.
func (k *asker) look(ctx context.Context) (*monitor.Health, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.at, nil)
	if err != nil {
		return nil, err
	}
	if k.token != "" {
		request.Header.Set("Authorization", "Bearer "+k.token)
	}
	answer, err := k.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("cannot read the status: %w\nhint: start the collector, agent or run with --status-listen, and give its address with --status", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxHealthBytes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.at, err)
	}
	if answer.StatusCode == http.StatusUnauthorized {
		return nil, fmt.Errorf("%s requires a token\nhint: give --token-file a file with the token of its --status-token-file", k.at)
	}
	var h monitor.Health
	if err := json.Unmarshal(body, &h); err != nil || h.Status == "" {
		return nil, fmt.Errorf("%s is not a status server of sluice: it answered %s, %.60q", k.at, answer.Status, body)
	}
	return &h, nil
}

// Control sequences of the terminal (ECMA-48; those of the alternate screen are xterm's).
const (
	secondScreen = "\x1b[?1049h\x1b[?25l"
	firstScreen  = "\x1b[?25h\x1b[?1049l"
	toTheTop     = "\x1b[H"
	restOfLine   = "\x1b[K"
	restOfScreen = "\x1b[J"
)

// show displays the status on the terminal at each interval until ctx is done.
func (c *topCmd) show(ctx context.Context, terminal *os.File, ask *asker) error {
	if _, err := io.WriteString(terminal, secondScreen); err != nil {
		return err
	}
	defer io.WriteString(terminal, firstScreen) //nolint:errcheck // the terminal is gone
	ticker := time.NewTicker(c.Interval)
	defer ticker.Stop()
	for {
		h, err := ask.look(ctx)
		lines := []string{time.Now().Format(time.TimeOnly) + "  " + ask.at}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil: // the server may become reachable again
			lines = append(lines, "", err.Error())
		default:
			lines = append(lines, h.Table()...)
		}
		columns, rows := 80, 24
		if size, err := unix.IoctlGetWinsize(int(terminal.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 && size.Row > 0 {
			columns, rows = int(size.Col), int(size.Row)
		}
		if _, err := terminal.Write(screen(lines, columns, rows)); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// screen returns the output that fills a terminal with lines of text. Lines longer than a row are
// wrapped; if not all rows fit, the last one has the number of those left out.
func screen(text []string, columns, rows int) []byte {
	var lines []string
	for _, line := range text {
		runes := []rune(print.Text(line))
		for len(runes) > columns {
			lines = append(lines, string(runes[:columns]))
			runes = runes[columns:]
		}
		lines = append(lines, string(runes))
	}
	var b bytes.Buffer
	b.WriteString(toTheTop)
	if len(lines) > rows {
		lines = append(lines[:rows-1:rows-1], fmt.Sprintf("and %d more", len(lines)-rows+1))
	}
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + restOfLine)
	}
	b.WriteString(restOfScreen)
	return b.Bytes()
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"sluice/monitor/report"
)

const (
	// requestsPath is the path of the report on the status server.
	requestsPath = "/requests"
	// requestsTimeout is the time limit of a report. It is less than statusTimeout, so that an
	// error message can be sent before the connection is closed.
	requestsTimeout = statusTimeout - 2*time.Second
	// requestsMemory is the limit in bytes above which a report's process collects garbage all the
	// time.
	requestsMemory = 256 << 20
	// requestsKept is how long a page is served again for the same query.
	requestsKept = 30 * time.Second
	// maxRequestsPage and maxRequestsQuery are the limits in bytes of a page and of its query.
	maxRequestsPage, maxRequestsQuery = 4 << 20, 1000
)

// requestsPage serves `sluice report` as a page. Each report runs in a separate process with the
// lowest priority, one processor and a time limit, and one at a time: a query of a large table must
// not take memory or CPU from the process that receives lines.
type requestsPage struct {
	arguments []string // of the report command, without those of the query
	timeout   time.Duration

	running sync.Mutex // held while a report runs

	mu    sync.Mutex
	query string // the query of page
	page  []byte
	made  time.Time
}

// requestsPage returns the page for this process's columnar table. nil: it has none. Errors of the
// flags are ignored here, because the flags were checked when the table was opened.
func (r *storeFlags) requestsPage(a *app) *requestsPage {
	if t, err := r.columnar(a); err != nil || t == nil {
		return nil
	}
	table := r.Table
	if r.onHBase() {
		table = r.Columnar
	}
	arguments := []string{
		"--data=" + a.cli.Data, "--quiet", "--wait=" + requestsTimeout.String(),
		"--kerberos-principal=" + a.cli.KerberosPrincipal, "--kerberos-keytab=" + a.cli.KerberosKeytab,
		"report", "--page", "--output-file=-",
	}
	if table != "" {
		arguments = append(arguments, "--table="+table)
	}
	return &requestsPage{arguments: arguments, timeout: requestsTimeout}
}

// requestsQuery returns the report flags for a query, and the query in a normalized form.
func requestsQuery(q url.Values) (flags []string, query string, err error) {
	known := url.Values{}
	for _, name := range []string{"host", "last", "from", "to"} {
		if value := strings.TrimSpace(q.Get(name)); value != "" {
			flags = append(flags, "--"+name+"="+value)
			known.Set(name, value)
		}
	}
	if query = known.Encode(); len(query) > maxRequestsQuery {
		return nil, "", errors.New("the query is too long")
	}
	return flags, query, nil
}

func (p *requestsPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	flags, query, err := requestsQuery(r.URL.Query())
	if err != nil {
		p.fail(w, http.StatusBadRequest, err.Error())
		return
	}
	page := p.kept(query)
	if page == nil {
		if !p.running.TryLock() {
			w.Header().Set("Retry-After", "5")
			p.fail(w, http.StatusServiceUnavailable, "Another report is being made. Try again in some seconds.")
			return
		}
		defer p.running.Unlock()
		if page, err = p.ask(r.Context(), flags); err != nil {
			status := http.StatusServiceUnavailable
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.ExitCode() == 2 {
				status = http.StatusBadRequest
			}
			p.fail(w, status, err.Error())
			return
		}
		p.keep(query, page)
	}
	p.show(w, http.StatusOK, page)
}

// ask runs a report and returns its page.
func (p *requestsPage) ask(ctx context.Context, flags []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append(append([]string{}, p.arguments...), flags...)...)
	cmd.Args[0] = "sluice"
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", fmt.Sprintf("GOMEMLIMIT=%d", requestsMemory), "GOGC=100")
	var stdout, stderr bounded
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("the report took longer than %s. Choose a shorter time or fewer hosts, or run `sluice report`, which has no limit", p.timeout)
	}
	if err != nil {
		return nil, &reportError{strings.TrimPrefix(strings.TrimSpace(stderr.String()), "sluice: "), err}
	}
	if stdout.over {
		return nil, errors.New("the report is too large for a page")
	}
	return stdout.Bytes(), nil
}

// reportError is the error of a report's process: what it printed, without the dashes of a flag,
// which is a field of the page's form.
type reportError struct {
	text string
	err  error
}

func (e *reportError) Unwrap() error { return e.err }

func (e *reportError) Error() string {
	if e.text == "" { // it was killed
		return "the report failed: " + e.err.Error()
	}
	return strings.TrimPrefix(e.text, "--")
}

// bounded is a buffer of at most maxRequestsPage bytes. A write that does not fit is dropped, and
// over is set.
type bounded struct {
	bytes.Buffer
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxRequestsPage {
		b.over = true
		return len(p), nil
	}
	return b.Buffer.Write(p)
}

// kept returns the last page if it is for this query and not older than requestsKept. Otherwise it
// returns nil.
func (p *requestsPage) kept(query string) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.page == nil || p.query != query || time.Since(p.made) > requestsKept {
		return nil
	}
	return p.page
}

func (p *requestsPage) keep(query string, page []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.query, p.page, p.made = query, page, time.Now()
}

// fail writes an error page.
func (p *requestsPage) fail(w http.ResponseWriter, status int, text string) {
	p.show(w, status, []byte("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\"><title>Requests – sluice</title>\n<p><a href=\"/\">Hosts</a> / <a href=\""+requestsPath+"\">Requests</a></p>\n<p>"+
		html.EscapeString(report.Visible(text))+"</p>\n"))
}

func (p *requestsPage) show(w http.ResponseWriter, status int, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", report.Policy(true)+"; frame-ancestors 'none'")
	w.WriteHeader(status)
	w.Write(page) //nolint:errcheck // the client has disconnected
}

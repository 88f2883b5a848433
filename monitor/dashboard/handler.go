package dashboard

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"sluice/monitor"
	"sluice/monitor/history"
)

//go:embed assets
var assets embed.FS

// Config is the source of the pages' data.
type Config struct {
	// Look returns the current state. It is called for each page, by several goroutines at a time.
	Look       func() monitor.Fleet
	Thresholds monitor.Thresholds
	// History is the history of the hosts. nil: none is kept.
	History *history.Store
	// Logs returns the logs of a host, at most limit of them; more is true if there are others.
	// nil: the logs are not known.
	Logs func(host string, limit int) (logs []Log, more bool)
	// Requests is the path of the page about the requests in the table. "": there is no such page.
	Requests string
}

// Log is how much of a log was read and stored. Read and Stored are in bytes.
type Log struct {
	Path string
	// Read is how much a collector has received, or, in a process that reads the log, the length
	// that it saw. Stored is how much is in table and archive.
	Read, Stored int64
	// Newest is the time of the newest stored line; zero if it is not known.
	Newest time.Time
	// Gone is true if the file no longer exists.
	Gone bool
}

// policy is the Content-Security-Policy. It permits nothing from other servers and no inline
// scripts or styles.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler returns the handler of the pages and their assets. The error is of parsing the embedded
// templates.
func Handler(cfg Config) (http.Handler, error) {
	p := &pages{Config: cfg}
	if err := p.parse(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.hosts)
	mux.HandleFunc("GET /host/{name}", p.host)
	mux.HandleFunc("GET /sinks", p.sinks)
	for name, kind := range map[string]string{"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
		body, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return nil, err
		}
		mux.HandleFunc("GET /assets/"+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Cache-Control", "no-cache")
			w.Write(body) //nolint:errcheck // the client has disconnected
		})
	}
	return Secured(mux), nil
}

// Secured wraps next and sets the security headers: the Content-Security-Policy, and headers that
// keep other sites from reading or embedding the answer.
func Secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// pages renders the pages. It may be used by several goroutines after parse.
type pages struct {
	Config
	templates map[string]*template.Template
}

// parse parses the embedded templates.
func (p *pages) parse() error {
	layout, err := template.New("layout.html").ParseFS(assets, "assets/layout.html", "assets/chart.html")
	if err != nil {
		return err
	}
	p.templates = map[string]*template.Template{}
	for _, name := range []string{"hosts.html", "host.html", "sinks.html", "absent.html"} {
		page, err := layout.Clone()
		if err == nil {
			p.templates[name], err = page.ParseFS(assets, "assets/"+name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// head is the data that every page has.
type head struct {
	Title    string
	Section  string // the current section in the navigation
	Requests string
	Status   string
	Kind     monitor.Kind
	Host     string
	Version  string
	Up       string
	Now      time.Time
	Hosts    int
	Charts   []*chart
	Problems []string // errors of reading the history
}

func (p *pages) head(f *monitor.Fleet, h *monitor.Health, title, section string) head {
	return head{
		Title: title, Section: section, Requests: p.Requests, Status: string(h.Status), Kind: f.Kind, Host: visible(f.Host), Version: f.Version,
		Up: ageText(h.Process.UpSeconds), Now: f.Now.UTC(), Hosts: len(h.Metrics),
	}
}

// show renders the page name and writes it with the status. The page is rendered to memory first,
// so a template error gives status 500 instead of half a page.
func (p *pages) show(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := p.templates[name].ExecuteTemplate(&b, "layout.html", data); err != nil {
		http.Error(w, fmt.Sprintf("cannot show the page: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(b.Bytes()) //nolint:errcheck // the client has disconnected
}

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

// Config is what the pages tell of.
type Config struct {
	// Look is asked for each page, by several goroutines.
	Look       func() monitor.Fleet
	Thresholds monitor.Thresholds
	// History of the hosts; nil: there is none.
	History *history.Store
	// Logs are those of a host, at most so many; nil: they are not known.
	Logs func(host string, limit int) (logs []Log, more bool)
	// Requests is the path of the page about the requests in the table; "": there is none.
	Requests string
}

// Log is how far a log is.
type Log struct {
	Path string
	// Read is how far the log was received (by a collector) or seen (by who reads it), Stored
	// how much of it table and archive have.
	Read, Stored int64
	// Newest is the time in its newest line that is stored; zero where it is not known.
	Newest time.Time
	// Gone: its file is not there any more.
	Gone bool
}

// policy is the Content-Security-Policy: nothing of another server, nothing in the page itself
// that runs.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the pages.
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

// Secured sets the headers that keep a page to itself.
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

// pages makes pages.
type pages struct {
	Config
	templates map[string]*template.Template
}

// parse reads the templates.
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

// head is what every page has at its top.
type head struct {
	Title    string
	Section  string // of the navigation
	Requests string
	Status   string
	Kind     monitor.Kind
	Host     string
	Version  string
	Up       string
	Now      time.Time
	Hosts    int
	Charts   []*chart
	Problems []string // of reading the history
}

func (p *pages) head(f *monitor.Fleet, h *monitor.Health, title, section string) head {
	return head{
		Title: title, Section: section, Requests: p.Requests, Status: string(h.Status), Kind: f.Kind, Host: visible(f.Host), Version: f.Version,
		Up: ageText(h.Process.UpSeconds), Now: f.Now.UTC(), Hosts: len(h.Metrics),
	}
}

// show writes a page, whole or as an error.
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

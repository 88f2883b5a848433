package monitor

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// hostHandler rejects requests whose Host header is a name that is not in names. A web page of
// another site could otherwise resolve a name of its own to this address (DNS rebinding) and read
// the answer. IP addresses, localhost and requests without a Host are accepted, because no such
// page can be loaded from them.
func hostHandler(names []string, next http.Handler) http.Handler {
	known := map[string]bool{"": true, "localhost": true}
	for _, name := range names {
		known[canonicalHost(name)] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = canonicalHost(host)
		if _, err := netip.ParseAddr(strings.ReplaceAll(host, "%25", "%")); err != nil && !known[host] {
			http.Error(w, "this server is not known by that name; start it with --status-name to allow it", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func canonicalHost(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
}

// Handler serves /health, /metrics and /metrics.json; pages serves all other paths. look is called
// for each request, by several goroutines at a time. /health and /health/HOST have status 503 for
// an error. names are the host names that are accepted in the Host header besides IP addresses and
// localhost.
func Handler(look func() Fleet, t Thresholds, names []string, pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	// ?warn=503 requests status 503 for warnings also.
	code := func(r *http.Request, level Level) int {
		if level == Failing || level == Warn && r.URL.Query().Get("warn") == "503" {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(v) //nolint:errcheck // the client has disconnected
	}
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		f := look()
		h := f.Check(t)
		answer(w, code(r, h.Status), h)
	})
	mux.HandleFunc("GET /health/{host}", func(w http.ResponseWriter, r *http.Request) {
		f := look()
		h := f.Check(t)
		x, ok := h.spelled(r.PathValue("host"))
		if !ok {
			answer(w, http.StatusNotFound, map[string]string{"status": "UNKNOWN", "error": "this process knows no such host; hosts of --expect are known before they connect"})
			return
		}
		answer(w, code(r, x.Status), x)
	})
	mux.HandleFunc("GET /metrics.json", func(w http.ResponseWriter, _ *http.Request) {
		f := look()
		answer(w, http.StatusOK, f.flumeMetrics())
	})
	registry := prometheus.NewRegistry()
	registry.MustRegister(exporter{look, t}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux.Handle("GET /", pages)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return hostHandler(names, mux)
}

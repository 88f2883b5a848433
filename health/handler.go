package health

import (
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler serves /health, /metrics and /metrics.json; look is asked each time, by several
// goroutines. /health has status 503 when something is wrong.
func Handler(look func() Fleet, t Thresholds) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(v) //nolint:errcheck // whoever asked has gone
	}
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		f := look()
		h, status := f.Check(t), http.StatusOK
		if !h.Well() {
			status = http.StatusServiceUnavailable
		}
		answer(w, status, h)
	})
	mux.HandleFunc("GET /metrics.json", func(w http.ResponseWriter, _ *http.Request) {
		f := look()
		answer(w, http.StatusOK, f.FlumeMetrics())
	})
	registry := prometheus.NewRegistry()
	registry.MustRegister(exporter{look, t}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestTheRequestsPageIsBoundedAndRunsNothing checks that one report runs at a time and has a time
// limit, that errors are escaped, and that the policy allows no scripts.
func TestTheRequestsPageIsBoundedAndRunsNothing(t *testing.T) {
	t.Parallel()
	p := &requestsPage{arguments: []string{"--data=" + t.TempDir(), "--quiet", "report", "--page", "--output-file=-"}, timeout: time.Minute}
	ask := func(query string, status int, text string) {
		t.Helper()
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, requestsPath+query, nil))
		if w.Code != status || !strings.Contains(w.Body.String(), text) {
			t.Errorf("%s: %d, want %d with %q:\n%s", query, w.Code, status, text, w.Body)
		}
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "script") {
			t.Errorf("policy %q", policy)
		}
	}
	ask("", http.StatusBadRequest, "no table at")
	ask("?from=%3Cscript%3E", http.StatusBadRequest, "<p>from: not a time: &#34;&lt;script&gt;&#34;")
	ask("?host="+strings.Repeat("x", maxRequestsQuery), http.StatusBadRequest, "too long")
	p.running.Lock()
	ask("?last=2h", http.StatusServiceUnavailable, "Another report")
	p.running.Unlock()
	p.timeout = time.Nanosecond
	ask("?last=2h", http.StatusServiceUnavailable, "took longer than 1ns")
	p.keep("last=2h", []byte("kept"))
	ask("?last=2h", http.StatusOK, "kept")
}

package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestAnswersOfTheStatusPortTakeAQuarterOfAProcessor sends many requests. Responses must not take
// more than a quarter of a processor, and a check must not wait for pages.
func TestAnswersOfTheStatusPortTakeAQuarterOfAProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		at := map[string][]time.Duration{}
		handler := paced(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			at[r.URL.Path] = append(at[r.URL.Path], time.Since(began))
			mu.Unlock()
			time.Sleep(100 * time.Millisecond) // the bubble's clock
			w.WriteHeader(http.StatusTeapot)
			w.Write([]byte(r.URL.Path)) //nolint:errcheck // a recorder
		}))
		var asked sync.WaitGroup
		for _, path := range []string{"/", "/", "/", "/health"} {
			asked.Go(func() {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
				if w.Code != http.StatusTeapot || w.Body.String() != path {
					t.Errorf("%s: %d %q", path, w.Code, w.Body)
				}
			})
		}
		asked.Wait()
		want := []time.Duration{0, 400 * time.Millisecond, 800 * time.Millisecond}
		if !slices.Equal(at["/"], want) || !slices.Equal(at["/health"], want[:1]) {
			t.Errorf("answers began at %v", at)
		}
		time.Sleep(maxIdle) // the last timer
	})
}

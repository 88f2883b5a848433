package peers

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEachVirtualHostHasALogOfItsOwn also checks that the server stops.
func TestEachVirtualHostHasALogOfItsOwn(t *testing.T) {
	if _, err := os.Stat(apacheProgram); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("left out: %v", err)
	}
	home := t.TempDir()
	if err := os.Chmod(filepath.Dir(home), 0o755); err != nil { // the server's children run as another user
		t.Fatal(err)
	}
	logs := filepath.Join(home, "logs")
	if err := os.Mkdir(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	a, err := StartApache(t.Context(), home, logs, 3)
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Host, q.Close = virtualHost(1), true
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	if r.Body.Close(); r.StatusCode != http.StatusOK || r.ContentLength != pageBytes {
		t.Errorf("%s, %d bytes", r.Status, r.ContentLength)
	}
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"access-0000.log": 0, "access-0001.log": 1, "access-0002.log": 0} {
		b, err := os.ReadFile(filepath.Join(logs, name))
		if n := strings.Count(string(b), "\n"); err != nil || n != want {
			t.Errorf("%s: %d lines, want %d: %v", name, n, want, err)
		}
	}
}

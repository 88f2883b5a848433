package peers

import (
	"testing"
	"time"
)

func TestParseWrk(t *testing.T) {
	const text = `Running 10s test @ http://127.0.0.1:8080/page.html
  2 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.91ms    2.15ms  43.71ms   89.47%
    Req/Sec    10.76k     1.12k   14.02k    69.50%
  Latency Distribution
     50%    1.26ms
     75%    2.41ms
     90%    4.33ms
     99%   10.40ms
  214227 requests in 10.01s, 494.38MB read
  Socket errors: connect 0, read 3, write 0, timeout 4
  Non-2xx or 3xx responses: 12
Requests/sec:  21401.85
Transfer/sec:     49.39MB
`
	got, err := parseWrk(text)
	if want := (Load{21401.85, 1260 * time.Microsecond, 10400 * time.Microsecond, 19}); err != nil || got != want {
		t.Errorf("%+v, want %+v: %v", got, want, err)
	}
	for _, bad := range []string{"", "  99% many\n", "Requests/sec: 5\n"} {
		if l, err := parseWrk(bad); err == nil {
			t.Errorf("%q: %+v", bad, l)
		}
	}
}

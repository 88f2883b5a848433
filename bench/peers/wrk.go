package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Load is the report of wrk.
type Load struct {
	RequestsPerSecond float64
	P50, P99          time.Duration
	Errors            int // socket errors, and replies other than 2xx and 3xx
}

const (
	wrkThreads     = 2
	wrkConnections = 32
)

// Wrk requests pages of all hosts of an Apache in turn, for duration d, as fast as it replies (wrk,
// from Debian). Its script is written to the directory home.
func Wrk(ctx context.Context, home, url string, hosts int, d time.Duration) (Load, error) {
	script := filepath.Join(home, "wrk.lua")
	lua := fmt.Sprintf(`local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", "/page.html?n=" .. n, {["Host"] = "h" .. (n * 7919 %% %d) .. ".test", ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) load", ["Referer"] = "http://bench.test/"})
end
`, hosts)
	if err := os.WriteFile(script, []byte(lua), 0o644); err != nil {
		return Load{}, err
	}
	cmd := exec.CommandContext(ctx, "wrk", "-t", strconv.Itoa(wrkThreads), "-c", strconv.Itoa(wrkConnections), "-d", fmt.Sprintf("%.0fs", d.Seconds()), "--latency", "-s", script, url)
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return Load{}, fmt.Errorf("%w; on Debian: apt-get install wrk", err)
	}
	if err != nil {
		return Load{}, fmt.Errorf("wrk: %w: %s", err, bytes.TrimSpace(out))
	}
	return parseWrk(string(out))
}

// parseWrk parses the output of wrk --latency.
func parseWrk(text string) (l Load, err error) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "50%":
			l.P50, err = time.ParseDuration(f[1])
		case len(f) == 2 && f[0] == "99%":
			l.P99, err = time.ParseDuration(f[1])
		case len(f) == 2 && f[0] == "Requests/sec:":
			l.RequestsPerSecond, err = strconv.ParseFloat(f[1], 64)
		case strings.Contains(line, "Socket errors:") || strings.Contains(line, "Non-2xx or 3xx responses:"):
			for _, n := range regexp.MustCompile(`: (\d+)| (\d+)\b`).FindAllStringSubmatch(line, -1) {
				more, _ := strconv.Atoi(n[1] + n[2]) // matched as digits
				l.Errors += more
			}
		}
		if err != nil {
			return l, fmt.Errorf("wrk printed %q: %w", strings.TrimSpace(line), err)
		}
	}
	if l.RequestsPerSecond == 0 || l.P99 == 0 {
		return l, fmt.Errorf("wrk printed no figures: %q", text)
	}
	return l, nil
}

// Hog runs processes that use all the CPU they get for duration d (stress-ng, from Debian).
func Hog(ctx context.Context, processes int, d time.Duration) error {
	out, err := exec.CommandContext(ctx, "stress-ng", "--quiet", "--cpu", strconv.Itoa(processes), "--timeout", fmt.Sprintf("%.0fs", d.Seconds())).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w; on Debian: apt-get install stress-ng", err)
	}
	if err != nil {
		return fmt.Errorf("stress-ng: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

package collector

import (
	"log/slog"
	"sync"
	"time"
)

// Slow is a batch that took long to parse.
type Slow struct {
	At      time.Time `json:"at"`
	Path    string    `json:"path"`
	Bytes   int       `json:"bytes"`
	Seconds float64   `json:"seconds"`
}

const (
	// slowBatch is the time from which parsing a batch counts as slow. A batch of 1 MiB in a usual
	// LogFormat takes 5 ms.
	slowBatch = time.Second
	// slowFor is the time for which a slow batch is reported.
	slowFor = 10 * time.Minute
)

// slowHosts has the last slow batch of each host. It is safe for concurrent use.
type slowHosts struct {
	log *slog.Logger

	mu     sync.Mutex
	byHost map[string]Slow
}

// note records how long a batch of a host's file took to parse.
func (s *slowHosts) note(now time.Time, host, path string, bytes int, took time.Duration) {
	if took < slowBatch {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.byHost[host]
	s.byHost[host] = Slow{At: now, Path: path, Bytes: bytes, Seconds: took.Seconds()}
	if !known {
		s.log.Warn("lines slow to parse", "host", host, "path", path, "bytes", bytes, "after", took)
	}
}

// list returns the last slow batch of each host, and forgets those that are older than slowFor.
func (s *slowHosts) list(now time.Time) map[string]Slow {
	s.mu.Lock()
	defer s.mu.Unlock()
	slow := map[string]Slow{}
	for host, x := range s.byHost {
		if now.Sub(x.At) >= slowFor {
			delete(s.byHost, host)
			continue
		}
		slow[host] = x
	}
	return slow
}

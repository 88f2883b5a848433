package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sluice/ingest/protocol"
)

// pace is how fast batches may be sent.
type pace struct {
	paused         bool
	resumed        chan struct{} // closed when the pause ends
	bytesPerSecond int64         // 0: no limit
}

// begin waits until the pause ends.
func (p *pace) begin(ctx context.Context) error {
	if !p.paused {
		return nil
	}
	select {
	case <-p.resumed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// spend waits for the time that the bytes take at the limited rate.
func (p *pace) spend(ctx context.Context, bytes int) {
	if p.bytesPerSecond <= 0 {
		return
	}
	select {
	case <-time.After(time.Duration(float64(bytes) / float64(p.bytesPerSecond) * float64(time.Second))):
	case <-ctx.Done():
	}
}

// pacing is the pace that the collector's last directive requested.
type pacing struct {
	log *slog.Logger

	mu   sync.Mutex
	pace pace
}

func newPacing(log *slog.Logger) *pacing {
	return &pacing{log: log, pace: pace{resumed: make(chan struct{})}}
}

func (p *pacing) current() pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pace
}

// obey applies a directive: pause, resume, or limit the rate of sending.
func (p *pacing) obey(d *protocol.Directive) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.pace.paused
	if was && !d.Pause {
		close(p.pace.resumed)
		p.pace.resumed = make(chan struct{})
	}
	if d.Pause && !was {
		p.log.Info("collector paused sending", "reason", d.Reason)
	} else if was && !d.Pause {
		p.log.Info("collector resumed sending")
	}
	p.pace.paused, p.pace.bytesPerSecond = d.Pause, d.MaxBytesPerSecond
}

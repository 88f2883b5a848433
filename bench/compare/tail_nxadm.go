package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/nxadm/tail"
	"golang.org/x/sync/errgroup"

	"sluice/bench/fleet"
)

// nxadm follows each file with github.com/nxadm/tail in its usual way: one Tail for each file, with
// inotify, reopening replaced files.
type nxadm struct {
	tails   []*tail.Tail
	seen    []*fleet.Seen
	outcome string
	count   atomic.Int64
	latency *latencies
}

// nxadmSample: the latency of one line in so many is measured.
const nxadmSample = 16

func newNxadm(spec tailSpec, latency *latencies) (*nxadm, error) {
	names, err := filepath.Glob(filepath.Join(spec.Fleet.Dir, "*.log"))
	if err != nil {
		return nil, err
	}
	n := &nxadm{outcome: spec.Outcome, latency: latency}
	for i, name := range names { // in the order of their numbers
		t, err := tail.TailFile(name, tail.Config{Follow: true, ReOpen: true, CompleteLines: true, Logger: tail.DiscardingLogger})
		if err != nil {
			return nil, fmt.Errorf("follow %s: %w", name, err)
		}
		n.tails = append(n.tails, t)
		n.seen = append(n.seen, &fleet.Seen{File: i})
	}
	return n, nil
}

// Run implements tailWork.
func (n *nxadm) Run(ctx context.Context) error {
	var g errgroup.Group
	for i, t := range n.tails {
		g.Go(func() error {
			for line := range t.Lines { // until the tail ends
				if id, nanos, ok := n.seen[i].Add([]byte(line.Text)); ok && id.Seq%nxadmSample == 0 {
					n.latency.add(nanos, nxadmSample)
				}
				n.count.Add(1)
			}
			return nil
		})
		g.Go(func() error {
			<-ctx.Done()
			return t.Stop()
		})
	}
	return g.Wait()
}

func (n *nxadm) lines() int64 { return n.count.Load() }

func (n *nxadm) save() error {
	text, err := json.Marshal(n.seen)
	if err != nil {
		return err
	}
	return os.WriteFile(n.outcome, text, 0o600)
}

package soak

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Run implements load: hosts write until enough is closed. When all agents know that everything is
// stored, the agents are stopped, then the collectors.
func (r *agentsRun) Run(ctx context.Context, enough <-chan struct{}) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	all, running := errgroup.WithContext(running)
	for _, l := range r.links {
		all.Go(func() error { return l.Run(running) })
	}
	var collectors, agents, writers errgroup.Group
	for _, s := range r.collectors {
		collectors.Go(func() error { return s.Run(running) })
	}
	for _, h := range r.hosts {
		agents.Go(func() error { return h.agent.Run(running) })
		writers.Go(func() error {
			if err := h.write(running, enough); err != nil {
				return err
			}
			return h.drained(running)
		})
	}
	all.Go(func() error {
		err := writers.Wait()
		r.written()
		for _, h := range r.hosts {
			h.agent.stop()
		}
		return err
	})
	all.Go(func() error {
		err := agents.Wait()
		for _, s := range r.collectors {
			s.stop()
		}
		return err
	})
	all.Go(func() error {
		err := collectors.Wait()
		cancel() // ends the links
		return err
	})
	return all.Wait()
}

// written logs to the journal what the hosts wrote.
func (r *agentsRun) written() {
	for _, h := range r.hosts {
		lines, bytes, rotations := h.fleet.Written()
		r.journal.say("pace", fmt.Sprintf("%s wrote %d lines, %d bytes, and rotated %d times", h.name, lines, bytes, rotations))
	}
}

// stored returns the number of bytes that the agents know to be stored.
func (r *agentsRun) stored() (sum int64) {
	for _, h := range r.hosts {
		if n, err := h.look(); err == nil { // the file may just be replaced
			h.stored.Store(n)
		}
		sum += h.stored.Load()
	}
	return sum
}

func (r *agentsRun) services() (all []*service) {
	all = slices.Clone(r.collectors)
	for _, h := range r.hosts {
		all = append(all, h.agent)
	}
	return all
}

func (r *agentsRun) watch() {
	r.seconds++
	for _, s := range r.services() {
		s.watch()
	}
	if r.seconds%tellEverySeconds == 0 {
		r.report()
	}
}

func (r *agentsRun) report() {
	r.stored()
	for _, h := range r.hosts {
		connections, resets := 0, 0
		text := fmt.Sprintf("%s: %d bytes are stored;", h.name, h.stored.Load())
		for j, l := range h.links {
			l.mu.Lock()
			text += fmt.Sprintf(" %d connections to %s,", l.connections, r.collectors[j].name)
			connections, resets = connections+l.connections, resets+l.resets
			l.mu.Unlock()
		}
		r.journal.say("pace", fmt.Sprintf("%s %d of %d reset", text, resets, connections))
	}
	for _, s := range r.services() {
		r.journal.say("pace", fmt.Sprintf("%s: ran %d times, killed %d, at most %d MiB", s.name, s.runs.Load(), s.kills.Load(), s.peakRSSBytes>>20))
	}
}

func (r *agentsRun) bounded() error {
	for _, h := range r.hosts {
		if rss := h.agent.peakRSSBytes; rss > maxAgentRSSBytes {
			return fmt.Errorf("%s had %d MiB resident", h.agent.name, rss>>20)
		}
	}
	for _, s := range r.collectors {
		if rss := s.peakRSSBytes; rss > maxReceivingRSSBytes {
			return fmt.Errorf("%s had %d MiB resident", s.name, rss>>20)
		}
	}
	return nil
}

// logs returns the files of all hosts.
func (r *agentsRun) logs() (all []hostLog) {
	for _, h := range r.hosts {
		logs, err := h.logs()
		if err != nil {
			r.journal.say("check", err.Error())
		}
		all = append(all, logs...)
	}
	return all
}

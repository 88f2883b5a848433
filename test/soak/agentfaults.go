package soak

import (
	"context"
	"slices"
	"time"
)

// AgentFaults returns the faults of agents, collectors and the links between them. lost is called
// with the id of a collector whose disk is gone.
func AgentFaults(hosts []*WebHost, collectors []*Service, lost func(id string)) []Fault {
	var faults []Fault
	var all []string
	for _, h := range hosts {
		all = append(all, h.Name)
		faults = append(faults,
			killService(h.Agent, 3, 10*time.Second),
			pauseService(h.Agent, 2, 25*time.Second),
			disturb("cut "+h.Name+" off", Down, h.Links, 3, 10*time.Second, h.Name),
			disturb("slow "+h.Name+" down", Slow, h.Links, 2, 20*time.Second, h.Name),
			disturb("swallow what "+h.Name+" is answered", Mute, h.Links, 3, 25*time.Second, h.Name),
			disturb("swallow all from and to "+h.Name, HalfOpen, h.Links, 2, 30*time.Second, h.Name),
		)
	}
	for j, c := range collectors {
		var links []*Link
		for _, h := range hosts {
			links = append(links, h.Links[j])
		}
		faults = append(faults,
			killService(c, 4, 15*time.Second),
			pauseService(c, 3, 35*time.Second),
			loseService(c, 1, 15*time.Second, lost),
			disturb("cut "+c.Name+" off", Down, links, 2, 20*time.Second, all...),
			disturb("swallow what "+c.Name+" answers", Mute, links, 2, 25*time.Second, all...),
		)
	}
	return faults
}

// SinkFaults returns the faults of the cluster that the collectors write to: HBase's and HDFS's.
func SinkFaults(seed uint64) []Fault {
	return slices.Concat(HBaseFaults(seed), ArchiveFaults(seed, nil))
}

// killService kills a process with SIGKILL, and starts it again after the hold.
func killService(s *Service, weight int, maxHold time.Duration) Fault {
	return Fault{
		Name: "kill " + s.Name, Claims: []string{s.Name}, Weight: weight, MaxHold: maxHold,
		Begin: func(context.Context, *World, uint64) error { s.Kill(); return nil },
		End:   func(context.Context, *World) error { s.Start(); return nil },
	}
}

// pauseService stops a process with SIGSTOP: its connections stay open and get no reply.
func pauseService(s *Service, weight int, maxHold time.Duration) Fault {
	return Fault{
		Name: "pause " + s.Name, Claims: []string{s.Name}, Weight: weight, MaxHold: maxHold,
		Begin: func(context.Context, *World, uint64) error { s.Pause(); return nil },
		End:   func(context.Context, *World) error { s.Resume(); return nil },
	}
}

// loseService kills a process and deletes its data directory.
func loseService(s *Service, weight int, maxHold time.Duration, lost func(id string)) Fault {
	return Fault{
		Name: "lose the disk of " + s.Name, Claims: []string{s.Name}, Weight: weight, MaxHold: maxHold,
		Begin: func(ctx context.Context, _ *World, _ uint64) error {
			id, err := s.Lose(ctx)
			lost(id)
			return err
		},
		End: func(context.Context, *World) error { s.Start(); return nil },
	}
}

// maxDelay is the maximum delay of a slow link.
const maxDelay = 2 * time.Second

// disturb sets the mode of links, and makes them work again after the hold.
func disturb(name string, w LinkMode, links []*Link, weight int, maxHold time.Duration, claims ...string) Fault {
	set := func(w LinkMode, delay time.Duration) {
		for _, l := range links {
			l.Set(w, delay)
		}
	}
	return Fault{
		Name: name, Claims: claims, Weight: weight, MaxHold: maxHold,
		Begin: func(_ context.Context, _ *World, n uint64) error {
			set(w, time.Duration(n%uint64(maxDelay)))
			return nil
		},
		End: func(context.Context, *World) error { set(Up, 0); return nil },
	}
}

package soak

import (
	"context"
	"slices"
	"time"
)

// AgentFaults are those of the ways between agents and collectors, and of both.
// lost is told the ids of collectors whose disks are gone.
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

// SinkFaults are those of the cluster behind the collectors: HBase's and HDFS's.
func SinkFaults(seed uint64) []Fault {
	return slices.Concat(HBaseFaults(seed), ArchiveFaults(seed, nil))
}

// killService kills a process of ours with SIGKILL, and starts it again.
func killService(s *Service, weight int, maxHold time.Duration) Fault {
	return Fault{
		Name: "kill " + s.Name, Claims: []string{s.Name}, Weight: weight, MaxHold: maxHold,
		Begin: func(context.Context, *World, uint64) error { s.Kill(); return nil },
		End:   func(context.Context, *World) error { s.Start(); return nil },
	}
}

// pauseService stops it with SIGSTOP: its connections stay, and nobody answers.
func pauseService(s *Service, weight int, maxHold time.Duration) Fault {
	return Fault{
		Name: "pause " + s.Name, Claims: []string{s.Name}, Weight: weight, MaxHold: maxHold,
		Begin: func(context.Context, *World, uint64) error { s.Pause(); return nil },
		End:   func(context.Context, *World) error { s.Resume(); return nil },
	}
}

// loseService kills it and takes its disk away.
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

// maxDelay is how slow a link is at most.
const maxDelay = 2 * time.Second

// disturb changes the weather of links.
func disturb(name string, w Weather, links []*Link, weight int, maxHold time.Duration, claims ...string) Fault {
	set := func(w Weather, delay time.Duration) {
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
		End: func(context.Context, *World) error { set(Fair, 0); return nil },
	}
}

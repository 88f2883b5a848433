package soak

import (
	"context"
	"slices"
	"time"
)

// agentFaults returns the faults of agents, collectors and the links between them. lost is called
// with the id of a collector whose disk is gone.
func agentFaults(hosts []*webHost, collectors []*service, lost func(id string)) []fault {
	var faults []fault
	var all []string
	for _, h := range hosts {
		all = append(all, h.name)
		faults = append(faults,
			killService(h.agent, 3, 10*time.Second),
			pauseService(h.agent, 2, 25*time.Second),
			disturb("cut "+h.name+" off", down, h.links, 3, 10*time.Second, h.name),
			disturb("slow "+h.name+" down", slow, h.links, 2, 20*time.Second, h.name),
			disturb("swallow what "+h.name+" is answered", mute, h.links, 3, 25*time.Second, h.name),
			disturb("swallow all from and to "+h.name, halfOpen, h.links, 2, 30*time.Second, h.name),
		)
	}
	for j, c := range collectors {
		var links []*link
		for _, h := range hosts {
			links = append(links, h.links[j])
		}
		faults = append(faults,
			killService(c, 4, 15*time.Second),
			pauseService(c, 3, 35*time.Second),
			loseService(c, 1, 15*time.Second, lost),
			disturb("cut "+c.name+" off", down, links, 2, 20*time.Second, all...),
			disturb("swallow what "+c.name+" answers", mute, links, 2, 25*time.Second, all...),
		)
	}
	return faults
}

// sinkFaults returns the faults of the cluster that the collectors write to: HBase's and HDFS's.
func sinkFaults(seed uint64) []fault {
	return slices.Concat(hbaseFaults(seed), archiveFaults(seed, nil))
}

// killService kills a process with SIGKILL, and starts it again after the hold.
func killService(s *service, weight int, maxHold time.Duration) fault {
	return fault{
		name: "kill " + s.name, claims: []string{s.name}, weight: weight, maxHold: maxHold,
		begin: func(context.Context, *world, uint64) error { s.killNow(); return nil },
		end:   func(context.Context, *world) error { s.start(); return nil },
	}
}

// pauseService stops a process with SIGSTOP: its connections stay open and get no reply.
func pauseService(s *service, weight int, maxHold time.Duration) fault {
	return fault{
		name: "pause " + s.name, claims: []string{s.name}, weight: weight, maxHold: maxHold,
		begin: func(context.Context, *world, uint64) error { s.pause(); return nil },
		end:   func(context.Context, *world) error { s.resume(); return nil },
	}
}

// loseService kills a process and deletes its data directory.
func loseService(s *service, weight int, maxHold time.Duration, lost func(id string)) fault {
	return fault{
		name: "lose the disk of " + s.name, claims: []string{s.name}, weight: weight, maxHold: maxHold,
		begin: func(ctx context.Context, _ *world, _ uint64) error {
			id, err := s.lose(ctx)
			lost(id)
			return err
		},
		end: func(context.Context, *world) error { s.start(); return nil },
	}
}

// maxDelay is the maximum delay of a slow link.
const maxDelay = 2 * time.Second

// disturb sets the mode of links, and makes them work again after the hold.
func disturb(name string, w linkMode, links []*link, weight int, maxHold time.Duration, claims ...string) fault {
	set := func(w linkMode, delay time.Duration) {
		for _, l := range links {
			l.set(w, delay)
		}
	}
	return fault{
		name: name, claims: claims, weight: weight, maxHold: maxHold,
		begin: func(_ context.Context, _ *world, n uint64) error {
			set(w, time.Duration(n%uint64(maxDelay)))
			return nil
		},
		end: func(context.Context, *world) error { set(up, 0); return nil },
	}
}

package soak

import (
	"context"
	"math/rand/v2"
	"time"
)

// HBaseFaults are those of a table's cluster. The region servers' session is 10 s: a
// server that is paused for longer was taken for dead, and gives up when it finds
// out. Only one data node is ever killed in a run: a block that was written while it
// was away is on the other one alone until it was copied, and that one's death would
// make a log unreadable that a region server needs, which is no client's matter.
func HBaseFaults(seed uint64) []Fault {
	victim := []string{"datanode1", "datanode2"}[rand.New(rand.NewPCG(seed, 1)).IntN(2)]
	return []Fault{
		Kill("regionserver1", 3, 20*time.Second),
		Kill("regionserver2", 3, 20*time.Second),
		Pause("regionserver1", 2, 25*time.Second),
		Pause("regionserver2", 2, 25*time.Second),
		Kill("master", 2, 15*time.Second),
		Pause("master", 1, 20*time.Second),
		Kill("zookeeper", 2, 8*time.Second),
		Pause("zookeeper", 1, 15*time.Second),
		Kill(victim, 2, 20*time.Second, "datanodes"),
		Pause("datanode1", 1, 15*time.Second, "datanodes"),
		Pause("datanode2", 1, 15*time.Second, "datanodes"),
		{Name: "move a region", Weight: 5, Begin: func(ctx context.Context, w *World, n uint64) error {
			return w.Admin.Move(ctx, w.Key(n))
		}},
		{Name: "split a region", Weight: 3, Begin: func(ctx context.Context, w *World, n uint64) error {
			return w.Admin.Split(ctx, w.Key(n))
		}},
	}
}

// Kill kills a daemon with SIGKILL, and starts it again.
func Kill(daemon string, weight int, maxHold time.Duration, groups ...string) Fault {
	return Fault{
		Name: "kill " + daemon, Claims: append(groups, daemon), Weight: weight, MaxHold: maxHold,
		Begin: func(_ context.Context, w *World, _ uint64) error { return w.Cluster.Kill(daemon) },
		End:   func(_ context.Context, w *World) error { return w.Cluster.StartDaemon(daemon) },
	}
}

// Pause stops a daemon with SIGSTOP, and lets it go on.
func Pause(daemon string, weight int, maxHold time.Duration, groups ...string) Fault {
	return Fault{
		Name: "pause " + daemon, Claims: append(groups, daemon), Weight: weight, MaxHold: maxHold,
		Begin: func(_ context.Context, w *World, _ uint64) error { return w.Cluster.Pause(daemon) },
		End:   func(_ context.Context, w *World) error { return w.Cluster.Resume(daemon) },
	}
}

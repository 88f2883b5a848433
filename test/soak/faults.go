package soak

import (
	"context"
	"fmt"
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
		{Name: "split a region", Weight: 3, Begin: split},
	}
}

// ArchiveFaults are those of an archive's cluster and of the spool's disk, if there is
// one. HBase needs HDFS, too: a region server whose log cannot be written gives up.
func ArchiveFaults(seed uint64, disk *Disk) []Fault {
	victim := []string{"datanode1", "datanode2"}[rand.New(rand.NewPCG(seed, 1)).IntN(2)]
	faults := []Fault{
		Kill(victim, 4, 20*time.Second, "datanodes"),
		Pause("datanode1", 3, 20*time.Second, "datanodes"),
		Pause("datanode2", 3, 20*time.Second, "datanodes"),
		Kill("namenode", 3, 10*time.Second),
		Pause("namenode", 3, 20*time.Second),
		Kill("regionserver1", 1, 10*time.Second),
	}
	if disk != nil {
		faults = append(faults, FillDisk(disk, 6, 15*time.Second))
	}
	return faults
}

// splitPause is between two tries of a split.
const splitPause = 3 * time.Second

// split splits a region. The master refuses ("NOT splittable") whenever the region's
// server does not answer it, or the region is being opened, and asks nobody again:
// that is for us to do.
func split(ctx context.Context, w *World, n uint64) error {
	for ; ; n++ {
		err := w.Admin.Split(ctx, w.Key(n))
		if err == nil {
			w.splits.Add(1)
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		w.Journal.Say("fault", "split a region: once more after: "+err.Error())
		wait(ctx, splitPause)
	}
}

// atLeastOneSplit splits a region if none was until now.
func atLeastOneSplit(ctx context.Context, w *World) error {
	if w.splits.Load() > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	w.Journal.Say("fault", "split a region, for none was")
	if err := split(ctx, w, 0); err != nil {
		return fmt.Errorf("no region was split in the whole run: %w", err)
	}
	w.Journal.Say("fault", "split a region, for none was: done")
	return nil
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

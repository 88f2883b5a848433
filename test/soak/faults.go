package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// HBaseFaults returns the faults of a table's cluster. The region servers' session is 10 s: a
// server that was paused for longer has been declared dead, and exits when it notices. Only one
// data node is killed in a run: a block written while it was down has only one replica until it was
// copied, so that killing the other one would make a log unreadable that a region server needs,
// which no client can handle.
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

// ArchiveFaults returns the faults of an archive's cluster and, if it is not nil, of the spool's
// disk. HBase needs HDFS, too: a region server that cannot write its log exits.
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

// splitPause is the pause between two attempts of a split.
const splitPause = 3 * time.Second

// split splits a region. The master rejects the call ("NOT splittable") if the region's server does
// not reply or the region is being opened, and does not retry, so split does.
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

// atLeastOneSplit splits a region if no fault has.
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

// Kill kills a daemon with SIGKILL, and starts it again after the hold.
func Kill(daemon string, weight int, maxHold time.Duration, groups ...string) Fault {
	return Fault{
		Name: "kill " + daemon, Claims: append(groups, daemon), Weight: weight, MaxHold: maxHold,
		Begin: func(_ context.Context, w *World, _ uint64) error { return w.Cluster.Kill(daemon) },
		End:   func(_ context.Context, w *World) error { return w.Cluster.StartDaemon(daemon) },
	}
}

// Pause stops a daemon with SIGSTOP, and continues it after the hold.
func Pause(daemon string, weight int, maxHold time.Duration, groups ...string) Fault {
	return Fault{
		Name: "pause " + daemon, Claims: append(groups, daemon), Weight: weight, MaxHold: maxHold,
		Begin: func(_ context.Context, w *World, _ uint64) error { return w.Cluster.Pause(daemon) },
		End:   func(_ context.Context, w *World) error { return w.Cluster.Resume(daemon) },
	}
}

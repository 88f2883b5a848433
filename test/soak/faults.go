package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// hbaseFaults returns the faults of a table's cluster. The region servers' session is 10 s: a
// server that was paused for longer has been declared dead, and exits when it notices. Only one
// data node is killed in a run: a block written while it was down has only one replica until it was
// copied, so that killing the other one would make a log unreadable that a region server needs,
// which no client can handle.
func hbaseFaults(seed uint64) []fault {
	victim := []string{"datanode1", "datanode2"}[rand.New(rand.NewPCG(seed, 1)).IntN(2)]
	return []fault{
		kill("regionserver1", 3, 20*time.Second),
		kill("regionserver2", 3, 20*time.Second),
		pause("regionserver1", 2, 25*time.Second),
		pause("regionserver2", 2, 25*time.Second),
		kill("master", 2, 15*time.Second),
		pause("master", 1, 20*time.Second),
		kill("zookeeper", 2, 8*time.Second),
		pause("zookeeper", 1, 15*time.Second),
		kill(victim, 2, 20*time.Second, "datanodes"),
		pause("datanode1", 1, 15*time.Second, "datanodes"),
		pause("datanode2", 1, 15*time.Second, "datanodes"),
		{name: "move a region", weight: 5, begin: func(ctx context.Context, w *world, n uint64) error {
			return w.admin.Move(ctx, w.key(n))
		}},
		{name: "split a region", weight: 3, begin: split},
	}
}

// archiveFaults returns the faults of an archive's cluster and, if it is not nil, of the spool's
// disk. HBase needs HDFS, too: a region server that cannot write its log exits.
func archiveFaults(seed uint64, disk *disk) []fault {
	victim := []string{"datanode1", "datanode2"}[rand.New(rand.NewPCG(seed, 1)).IntN(2)]
	faults := []fault{
		kill(victim, 4, 20*time.Second, "datanodes"),
		pause("datanode1", 3, 20*time.Second, "datanodes"),
		pause("datanode2", 3, 20*time.Second, "datanodes"),
		kill("namenode", 3, 10*time.Second),
		pause("namenode", 3, 20*time.Second),
		kill("regionserver1", 1, 10*time.Second),
	}
	if disk != nil {
		faults = append(faults, fillDisk(disk, 6, 15*time.Second))
	}
	return faults
}

// splitPause is the pause between two attempts of a split.
const splitPause = 3 * time.Second

// split splits a region. The master rejects the call ("NOT splittable") if the region's server does
// not reply or the region is being opened, and does not retry, so split does.
func split(ctx context.Context, w *world, n uint64) error {
	for ; ; n++ {
		err := w.admin.Split(ctx, w.key(n))
		if err == nil {
			w.splits.Add(1)
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		w.journal.say("fault", "split a region: once more after: "+err.Error())
		wait(ctx, splitPause)
	}
}

// atLeastOneSplit splits a region if no fault has.
func atLeastOneSplit(ctx context.Context, w *world) error {
	if w.splits.Load() > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	w.journal.say("fault", "split a region, for none was")
	if err := split(ctx, w, 0); err != nil {
		return fmt.Errorf("no region was split in the whole run: %w", err)
	}
	w.journal.say("fault", "split a region, for none was: done")
	return nil
}

// kill kills a daemon with SIGKILL, and starts it again after the hold.
func kill(daemon string, weight int, maxHold time.Duration, groups ...string) fault {
	return fault{
		name: "kill " + daemon, claims: append(groups, daemon), weight: weight, maxHold: maxHold,
		begin: func(_ context.Context, w *world, _ uint64) error { return w.cluster.Kill(daemon) },
		end:   func(_ context.Context, w *world) error { return w.cluster.StartDaemon(daemon) },
	}
}

// pause stops a daemon with SIGSTOP, and continues it after the hold.
func pause(daemon string, weight int, maxHold time.Duration, groups ...string) fault {
	return fault{
		name: "pause " + daemon, claims: append(groups, daemon), weight: weight, maxHold: maxHold,
		begin: func(_ context.Context, w *world, _ uint64) error { return w.cluster.Pause(daemon) },
		end:   func(_ context.Context, w *world) error { return w.cluster.Resume(daemon) },
	}
}

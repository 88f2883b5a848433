package soak

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/schema"
	"sluice/test/cluster"
)

var (
	soakLength = flag.Duration("soak", 0, "soak for so long, on a cluster of its own; 0: shortly, on the tests' one")
	soakSeed   = flag.Uint64("seed", 1, "of the soak's plan and logs")
	soakLayout = flag.String("layout", schema.LayoutTyped, "the soaked table's layout")
	soakReplay = flag.String("replay", "", "run the plan in this file instead of the one of the seed")
	soakLogs   = flag.Int("logs", 60, "how many logs of 50,000 lines there are at most")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every flushed row is in the table, once and intact, whatever happens to the daemons.
func TestTheTableHolds(t *testing.T) {
	faults := hbaseFaults(1)
	soak(t, soakTable, []event{
		{at: 2 * time.Second, fault: named(t, faults, "split a region"), n: 1},
		{at: 4 * time.Second, fault: named(t, faults, "pause regionserver1"), hold: 2 * time.Second},
		{at: 5 * time.Second, fault: named(t, faults, "move a region"), n: 2},
		{at: 8 * time.Second, fault: named(t, faults, "kill regionserver2"), hold: time.Second},
	})
}

// Every line is in the archive, once, in the file of its host and day, and no partial file is left,
// whatever happens to daemons, disk and program.
func TestTheArchiveHolds(t *testing.T) {
	faults := archiveFaults(1, nil)
	soak(t, soakArchive, []event{
		{at: 2 * time.Second, fault: named(t, faults, "pause namenode"), hold: 2 * time.Second},
		{at: 5 * time.Second, fault: named(t, faults, "pause datanode2"), hold: 3 * time.Second},
		{at: 10 * time.Second, fault: named(t, faults, "kill datanode1"), hold: time.Second},
	})
}

// Every line that was loaded as part of a file is in table and archive, once and intact, and nothing is
// left of the loads, whatever happens to daemons, regions, disk and program.
func TestTheBulkLoadHolds(t *testing.T) {
	if *soakLength == 0 {
		t.Skip("left out without -soak: even the recovery from one fault takes longer than the tests have")
	}
	soak(t, soakBulkLoad, nil)
}

// Every line of the web servers is in table and archive, once, whatever happens to agents,
// collectors, the links between them and the cluster.
func TestTheAgentsHold(t *testing.T) {
	soak(t, func(ctx context.Context, c config) error {
		if c.plan != nil { // the short plan: its faults are created with the processes
			c.plan, c.draw = nil, func(faults []fault) []event {
				return []event{
					{at: 3 * time.Second, fault: named(t, faults, "swallow what collector1 answers"), hold: 2 * time.Second},
					{at: 4 * time.Second, fault: named(t, faults, "kill collector2"), hold: 5 * time.Second},
					{at: 6 * time.Second, fault: named(t, faults, "kill agent1"), hold: 500 * time.Millisecond},
					{at: 8 * time.Second, fault: named(t, faults, "pause regionserver1"), hold: 2 * time.Second},
					{at: 9 * time.Second, fault: named(t, faults, "cut web02 off"), hold: time.Second},
					{at: 10 * time.Second, fault: named(t, faults, "pause collector1"), hold: 2 * time.Second},
					{at: 12 * time.Second, fault: named(t, faults, "swallow all from and to web03"), hold: time.Second},
				}
			}
		}
		return soakAgents(ctx, c)
	}, []event{})
}

// soak runs a soak for the duration of the flags, or the short plan, on the tests' cluster.
func soak(t *testing.T, run func(context.Context, config) error, short []event) {
	options := cluster.Options{Own: true}
	length, plan := *soakLength, []event(nil)
	if length == 0 {
		options, length, plan = cluster.Options{Exclusive: true}, 15*time.Second, short
	}
	c := cluster.Start(t, options)
	layout, err := schema.NewLayout(*soakLayout)
	if err != nil {
		t.Fatal(err)
	}
	var replay []byte
	if *soakReplay != "" {
		if replay, err = os.ReadFile(*soakReplay); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d, layout %s", *soakSeed, layout.Name)
	err = run(t.Context(), config{
		binary: build(t), cluster: c, journal: newJournal(t.Output()), dir: t.TempDir(), seed: *soakSeed, length: length,
		layout: layout, maxLogs: *soakLogs, plan: plan, replay: string(replay),
	})
	if err != nil {
		t.Errorf("go test ./soak -v -run '^%s$' -soak %v -seed %d -layout %s: %v", t.Name(), length, *soakSeed, layout.Name, err)
	}
}

// build compiles the program.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.Command("go", "build", "-o", path, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return path
}

// named returns the fault of that name.
func named(t *testing.T, faults []fault, name string) *fault {
	t.Helper()
	i := slices.IndexFunc(faults, func(f fault) bool { return f.name == name })
	if i < 0 {
		t.Fatalf("no fault is called %s", name)
	}
	return &faults[i]
}

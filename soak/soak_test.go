package soak

import (
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/cluster"
	"sluice/schema"
)

var (
	soakLength = flag.Duration("soak", 0, "soak for so long, on a cluster of its own; 0: shortly, on the tests' one")
	soakSeed   = flag.Uint64("seed", 1, "of the soak's plan and logs")
	soakLayout = flag.String("layout", schema.LayoutTyped, "the soaked table's layout")
	soakLogs   = flag.Int("logs", 60, "how many logs of 50,000 lines there are at most")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What was flushed is in the table, once and whole, whatever happens to the daemons.
func TestTheTableHolds(t *testing.T) {
	options := cluster.Options{Own: true}
	length, plan := *soakLength, []Event(nil)
	if length == 0 {
		options, length, plan = cluster.Options{Exclusive: true}, 15*time.Second, short()
	}
	c := cluster.Start(t, options)
	layout, err := schema.NewLayout(*soakLayout)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d, layout %s", *soakSeed, layout.Name)
	err = Table(t.Context(), TableConfig{
		Binary: build(t), Cluster: c, Journal: NewJournal(t.Output()), Dir: t.TempDir(), Seed: *soakSeed, Length: length,
		Layout: layout, MaxLogs: *soakLogs, Plan: plan,
	})
	if err != nil {
		t.Errorf("go test ./soak -v -soak %v -seed %d -layout %s: %v", length, *soakSeed, layout.Name, err)
	}
}

// build builds the program.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.Command("go", "build", "-o", path, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return path
}

// short is what happens in every run of the tests.
func short() []Event {
	faults := HBaseFaults(1)
	byName := func(name string) *Fault {
		for i := range faults {
			if faults[i].Name == name {
				return &faults[i]
			}
		}
		panic(fmt.Sprintf("no fault is called %s", name))
	}
	return []Event{
		{At: 2 * time.Second, Fault: byName("split a region"), N: 1},
		{At: 4 * time.Second, Fault: byName("pause regionserver1"), Hold: 2 * time.Second},
		{At: 5 * time.Second, Fault: byName("move a region"), N: 2},
		{At: 8 * time.Second, Fault: byName("kill regionserver2"), Hold: time.Second},
	}
}

package replay

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// faulty is a set with a bug and its model. It forgets a number that is put again after it was
// deleted, but only if the set was large in between.
type faulty struct {
	set, model map[int]bool
	deleted    map[int]bool
	wasLarge   bool
}

func faultyMachine(runs *int) *Machine[*faulty] {
	return &Machine[*faulty]{
		Random: func(r *rand.Rand) Script {
			s := Script{NewOp("settings", "a", "b")}
			for range 300 {
				s = append(s, NewOp([]string{"put", "put", "delete", "look"}[r.IntN(4)], 100+r.IntN(30)))
			}
			return s
		},
		Start: func(testing.TB) *faulty {
			*runs++
			return &faulty{map[int]bool{}, map[int]bool{}, map[int]bool{}, false}
		},
		Ops: map[string]func(testing.TB, *faulty, Args){
			"settings WORD...": func(testing.TB, *faulty, Args) {},
			"look N":           func(t testing.TB, w *faulty, a Args) { w.look(t, a.Int(0)) },
			"put N": func(_ testing.TB, w *faulty, a Args) {
				w.model[a.Int(0)] = true
				w.set[a.Int(0)] = !w.deleted[a.Int(0)] || !w.wasLarge
				w.wasLarge = w.wasLarge || len(w.set) >= 3
			},
			"delete N": func(_ testing.TB, w *faulty, a Args) {
				w.deleted[a.Int(0)] = w.model[a.Int(0)]
				delete(w.model, a.Int(0))
				delete(w.set, a.Int(0))
			},
		},
		Fixed: 1,
	}
}

func (f *faulty) look(t testing.TB, n int) {
	if f.set[n] != f.model[n] {
		t.Errorf("%d is in the set: %v", n, f.set[n])
	}
}

// failure runs a random script of the faulty set, and returns the test's output.
func failure(t *testing.T, m *Machine[*faulty], seed uint64) string {
	s := m.Random(rand.New(rand.NewPCG(seed, 1)))
	return record(t, func(t testing.TB) { m.check(t, "TestFaulty", s) })
}

func TestTheSmallestScriptThatFailsIsPrinted(t *testing.T) {
	for seed := range uint64(20) {
		runs := 0
		printed := failure(t, faultyMachine(&runs), seed)
		_, script, found := strings.Cut(printed, "replay FILE` runs it again:\n")
		if !found || !strings.Contains(printed, fmt.Sprintf("of %d that were tried", runs)) {
			t.Fatalf("seed %d, %d runs: %s", seed, runs, printed)
		}
		// Seven operations at most: three puts make the set large, and the fault needs one number
		// put, deleted, put and looked for.
		if n := strings.Count(script, "\n") + 1; n > 8 || !strings.HasPrefix(script, "settings a b\n") {
			t.Errorf("seed %d: the script has %d lines:\n%s", seed, n, script)
		}
		if !strings.Contains(script, "put 1\n") {
			t.Errorf("seed %d: numbers could be smaller:\n%s", seed, script)
		}
		again := faultyMachine(&runs)
		s, err := parse("# a comment\n\n"+script, again.usages())
		if err != nil {
			t.Fatal(err)
		}
		if why, _ := again.run(t, s); !strings.HasSuffix(why, "is in the set: false") {
			t.Errorf("seed %d: the printed script does not fail: %s", seed, why)
		}
		for i := 1; i < len(s); i++ {
			if why, _ := again.run(t, slices.Delete(slices.Clone(s), i, i+1)); why != "" {
				t.Errorf("seed %d: operation %d could be left out of\n%s", seed, i, script)
			}
		}
	}
}

func TestEachScriptIsRunBeforeTheNext(t *testing.T) {
	runs := 0
	m := faultyMachine(&runs)
	m.Each(t, "", func(yield func(Script) bool) {
		for i := range 5 {
			if runs != i {
				t.Errorf("%d runs before script %d", runs, i)
			}
			if !yield(Script{NewOp("put", 5+i), NewOp("look", 5+i)}) {
				return
			}
		}
	})
	if runs != 5 {
		t.Errorf("%d runs of 5 scripts", runs)
	}
}

// A script fails at its third operation, and has operations that are allowed in pairs only: the rest
// is left out with few runs.
func TestOperationsAfterTheFailureAndPairsAreLeftOut(t *testing.T) {
	m := &Machine[*int]{
		Start: func(testing.TB) *int { return new(int) },
		Ops: map[string]func(testing.TB, *int, Args){
			"open":  func(t testing.TB, n *int, _ Args) { *n++ },
			"close": func(t testing.TB, n *int, _ Args) { *n-- },
			"fail": func(t testing.TB, n *int, _ Args) {
				if *n == 0 {
					t.Error("failed")
				}
			},
			"wait": func(testing.TB, *int, Args) {},
		},
		Attempts: 20,
	}
	s := Script{NewOp("open"), NewOp("wait"), NewOp("close"), NewOp("fail")}
	for range 1000 {
		s = append(s, NewOp("wait"))
	}
	printed := record(t, func(t testing.TB) { m.check(t, "TestPairs", s) })
	if !strings.HasSuffix(printed, "again:\nfail") {
		t.Errorf("printed: %s", printed)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	runs := 0
	m := faultyMachine(&runs)
	m.Attempts = 5
	if printed := failure(t, m, 1); runs != 6 || !strings.Contains(printed, "of 6 that were tried") {
		t.Errorf("%d runs; printed: %s", runs, printed)
	}
}

func TestAPanicIsAFailureWithAScript(t *testing.T) {
	runs := 0
	m := faultyMachine(&runs)
	m.Ops["delete N"] = func(testing.TB, *faulty, Args) { panic("deleted") }
	printed := failure(t, m, 1)
	if !strings.Contains(printed, "panic: deleted") || !strings.HasSuffix(printed, "again:\nsettings a b\ndelete 1") {
		t.Errorf("printed: %s", printed)
	}
}

func TestARunEndsWithFatalAndItsCleanups(t *testing.T) {
	var did []string
	why := record(t, func(t testing.TB) {
		dir := t.TempDir()
		t.Cleanup(func() { did = append(did, "first") })
		t.Cleanup(func() { did = append(did, "second"); t.Error("at the end of", dir[:1]) })
		t.Fatal("stopped", 1)
	})
	if why != "stopped 1\nat the end of /" || strings.Join(did, " ") != "second first" {
		t.Errorf("%q; cleanups: %v", why, did)
	}
	if why := record(t, func(t testing.TB) { t.FailNow() }); why == "" {
		t.Error("FailNow is no failure")
	}
}

func TestAScriptRunsInABubble(t *testing.T) {
	m := Machine[*time.Time]{
		Start: func(testing.TB) *time.Time { now := time.Now(); return &now },
		Ops: map[string]func(testing.TB, *time.Time, Args){
			"sleep N": func(_ testing.TB, _ *time.Time, a Args) { <-time.After(time.Duration(a.Int(0)) * time.Hour) },
		},
		End: func(t testing.TB, began *time.Time) {
			if d := time.Since(*began); d > 5*time.Hour {
				t.Fatalf("%v", d)
			}
		},
		Bubble: true,
	}
	if !m.Text(t, "sleep 2\nsleep 3") || m.Text(t, "sleep") {
		t.Error("the text was not recognized")
	}
	if why, _ := m.run(t, Script{NewOp("sleep", 6)}); why != "6h0m0s" {
		t.Errorf("the run failed because of %q", why)
	}
}

func TestInvalidScripts(t *testing.T) {
	runs := 0
	usages := faultyMachine(&runs).usages()
	for text, want := range map[string]string{
		"put 1\nexplode 2": `line 2: unknown operation "explode"`,
		"put":              "line 1: \"put\"; usage: put N",
		"put 1 2":          "usage: put N",
		"\nput one":        "line 2: \"put one\"; usage: put N",
	} {
		if s, err := parse(text, usages); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is read as %v: %v", text, s, err)
		}
	}
}

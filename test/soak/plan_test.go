package soak

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// plans calls do with the plans of many seeds.
func plans(do func(seed uint64, plan []event)) {
	for seed := range uint64(200) {
		do(seed, drawPlan(seed, hbaseFaults(seed), 10*time.Minute))
	}
}

func TestASeedGivesOnePlan(t *testing.T) {
	names := func(seed uint64) (names []string) {
		for _, e := range drawPlan(seed, hbaseFaults(seed), 10*time.Minute) {
			names = append(names, e.at.String()+" "+e.fault.name+" "+e.hold.String())
		}
		return names
	}
	if a, b := names(7), names(7); !reflect.DeepEqual(a, b) {
		t.Errorf("twice the same seed: %v, %v", a, b)
	}
	if a, b := names(7), names(8); reflect.DeepEqual(a, b) {
		t.Errorf("two seeds, one plan: %v", a)
	}
}

// A plan is read from its text as it is, and a part of the lines is a plan.
func TestAPlanIsReadFromItsText(t *testing.T) {
	plans(func(seed uint64, plan []event) {
		faults := hbaseFaults(seed)
		text := planText(plan)
		again, err := parsePlan("# a comment\n\n"+text, faults)
		if err != nil || len(again) != len(plan) || planText(again) != text {
			t.Fatalf("seed %d: %v\n%s\nis read as\n%s", seed, err, text, planText(again))
		}
		for i, e := range again {
			if want := plan[i]; e.at != want.at || e.hold != want.hold || e.n != want.n || e.fault.name != want.fault.name || e.fault.begin == nil {
				t.Fatalf("seed %d: %+v, want %+v", seed, e, want)
			}
		}
		half, _, _ := strings.Cut(text, "\n")
		if part, err := parsePlan(half, faults); err != nil || len(part) != 1 {
			t.Errorf("%q is read as %v: %v", half, part, err)
		}
	})
	for text, want := range map[string]string{
		"1s 2s 3":                        "want the time",
		"\n1s 2s 3 kill everybody":       `line 2 of the plan, "1s 2s 3 kill everybody": no fault has the name`,
		"1 2s 3 kill master":             "missing unit",
		"1s -2s 3 kill master":           "negative",
		"1s 2s -3 kill master":           "invalid syntax",
		"1s 2s 3 kill master\n1s 2s 3 a": "line 2",
	} {
		if plan, err := parsePlan(text, hbaseFaults(1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is read as %v: %v", text, plan, err)
		}
	}
}

func TestEveryFaultIsDrawn(t *testing.T) {
	seen := map[string]int{}
	plans(func(_ uint64, plan []event) {
		for _, e := range plan {
			seen[e.fault.name]++
		}
	})
	for _, seed := range []uint64{1, 2, 3} {
		for _, f := range hbaseFaults(seed) {
			if seen[f.name] == 0 {
				t.Errorf("%s: never, in 200 plans", f.name)
			}
		}
	}
}

// Two faults with a common claim do not overlap; so the two data nodes are never down at the same
// time.
func TestFaultsKeepTheirClaims(t *testing.T) {
	plans(func(seed uint64, plan []event) {
		for i, e := range plan {
			for _, later := range plan[i+1:] {
				if later.at > e.at+e.hold {
					continue
				}
				for _, c := range later.fault.claims {
					if slices.Contains(e.fault.claims, c) {
						t.Errorf("seed %d: %s at %v and %s at %v both hold %s", seed, e.fault.name, e.at, later.fault.name, later.at, c)
					}
				}
			}
		}
	})
}

// Blocks written while one data node was down are only on the other one.
func TestOneDataNodeIsNeverKilled(t *testing.T) {
	plans(func(seed uint64, plan []event) {
		killed := map[string]bool{}
		for _, e := range plan {
			if strings.HasPrefix(e.fault.name, "kill datanode") {
				killed[e.fault.name] = true
			}
			if strings.Contains(e.fault.name, "datanode") && !slices.Contains(e.fault.claims, "datanodes") {
				t.Errorf("%s does not keep the other data node safe", e.fault.name)
			}
		}
		if len(killed) > 1 {
			t.Errorf("seed %d: %v", seed, killed)
		}
	})
}

// The faults of agents and collectors are all drawn, and no link has two modes at the same time.
func TestAgentFaultsAreDrawnAndKeepTheirClaims(t *testing.T) {
	var hosts []*webHost
	for _, name := range []string{"web01", "web02", "web03"} {
		hosts = append(hosts, &webHost{name: name, agent: &service{name: "agent of " + name}, links: make([]*link, collectorCount)})
	}
	faults := agentFaults(hosts, []*service{{name: "collector1"}, {name: "collector2"}}, nil)
	seen := map[string]int{}
	for seed := range uint64(50) {
		plan := planOf(seed, faults, 10*time.Minute, wayGap)
		for i, e := range plan {
			seen[e.fault.name]++
			for _, later := range plan[i+1:] {
				if later.at <= e.at+e.hold && slices.ContainsFunc(later.fault.claims, func(c string) bool { return slices.Contains(e.fault.claims, c) }) {
					t.Errorf("seed %d: %s at %v and %s at %v", seed, e.fault.name, e.at, later.fault.name, later.at)
				}
			}
		}
	}
	for _, f := range faults {
		if seen[f.name] == 0 {
			t.Errorf("%s: never, in 50 plans", f.name)
		}
	}
}

package soak

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// plans calls do with the plans of many seeds.
func plans(do func(seed uint64, plan []Event)) {
	for seed := range uint64(200) {
		do(seed, Plan(seed, HBaseFaults(seed), 10*time.Minute))
	}
}

func TestASeedGivesOnePlan(t *testing.T) {
	names := func(seed uint64) (names []string) {
		for _, e := range Plan(seed, HBaseFaults(seed), 10*time.Minute) {
			names = append(names, e.At.String()+" "+e.Fault.Name+" "+e.Hold.String())
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
	plans(func(seed uint64, plan []Event) {
		faults := HBaseFaults(seed)
		text := PlanText(plan)
		again, err := ParsePlan("# a comment\n\n"+text, faults)
		if err != nil || len(again) != len(plan) || PlanText(again) != text {
			t.Fatalf("seed %d: %v\n%s\nis read as\n%s", seed, err, text, PlanText(again))
		}
		for i, e := range again {
			if want := plan[i]; e.At != want.At || e.Hold != want.Hold || e.N != want.N || e.Fault.Name != want.Fault.Name || e.Fault.Begin == nil {
				t.Fatalf("seed %d: %+v, want %+v", seed, e, want)
			}
		}
		half, _, _ := strings.Cut(text, "\n")
		if part, err := ParsePlan(half, faults); err != nil || len(part) != 1 {
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
		if plan, err := ParsePlan(text, HBaseFaults(1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is read as %v: %v", text, plan, err)
		}
	}
}

func TestEveryFaultIsDrawn(t *testing.T) {
	seen := map[string]int{}
	plans(func(_ uint64, plan []Event) {
		for _, e := range plan {
			seen[e.Fault.Name]++
		}
	})
	for _, seed := range []uint64{1, 2, 3} {
		for _, f := range HBaseFaults(seed) {
			if seen[f.Name] == 0 {
				t.Errorf("%s: never, in 200 plans", f.Name)
			}
		}
	}
}

// Two faults with a common claim do not overlap; so the two data nodes are never down at the same
// time.
func TestFaultsKeepTheirClaims(t *testing.T) {
	plans(func(seed uint64, plan []Event) {
		for i, e := range plan {
			for _, later := range plan[i+1:] {
				if later.At > e.At+e.Hold {
					continue
				}
				for _, c := range later.Fault.Claims {
					if slices.Contains(e.Fault.Claims, c) {
						t.Errorf("seed %d: %s at %v and %s at %v both hold %s", seed, e.Fault.Name, e.At, later.Fault.Name, later.At, c)
					}
				}
			}
		}
	})
}

// Blocks written while one data node was down are only on the other one.
func TestOneDataNodeIsNeverKilled(t *testing.T) {
	plans(func(seed uint64, plan []Event) {
		killed := map[string]bool{}
		for _, e := range plan {
			if strings.HasPrefix(e.Fault.Name, "kill datanode") {
				killed[e.Fault.Name] = true
			}
			if strings.Contains(e.Fault.Name, "datanode") && !slices.Contains(e.Fault.Claims, "datanodes") {
				t.Errorf("%s does not keep the other data node safe", e.Fault.Name)
			}
		}
		if len(killed) > 1 {
			t.Errorf("seed %d: %v", seed, killed)
		}
	})
}

// The faults of agents and collectors are all drawn, and no link has two modes at the same time.
func TestAgentFaultsAreDrawnAndKeepTheirClaims(t *testing.T) {
	var hosts []*WebHost
	for _, name := range []string{"web01", "web02", "web03"} {
		hosts = append(hosts, &WebHost{Name: name, Agent: &Service{Name: "agent of " + name}, Links: make([]*Link, collectorCount)})
	}
	faults := AgentFaults(hosts, []*Service{{Name: "collector1"}, {Name: "collector2"}}, nil)
	seen := map[string]int{}
	for seed := range uint64(50) {
		plan := planOf(seed, faults, 10*time.Minute, wayGap)
		for i, e := range plan {
			seen[e.Fault.Name]++
			for _, later := range plan[i+1:] {
				if later.At <= e.At+e.Hold && slices.ContainsFunc(later.Fault.Claims, func(c string) bool { return slices.Contains(e.Fault.Claims, c) }) {
					t.Errorf("seed %d: %s at %v and %s at %v", seed, e.Fault.Name, e.At, later.Fault.Name, later.At)
				}
			}
		}
	}
	for _, f := range faults {
		if seen[f.Name] == 0 {
			t.Errorf("%s: never, in 50 plans", f.Name)
		}
	}
}

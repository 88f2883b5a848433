package tail

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

var (
	replay = flag.String("replay", "", "run the script of this file instead of random ones: TestReplay")
	seeds  = flag.Int("seeds", 60, "how many random scripts TestEveryLineOnceWhateverHappens runs")
)

// TestEveryLineOnceWhateverHappens does random operations on some logs, including kills of the
// process, and checks that every line is delivered exactly once. The operations are a script
// (script_test.go). A failing script is reduced and printed; go test -run TestReplay -replay FILE
// runs it again.
func TestEveryLineOnceWhateverHappens(t *testing.T) {
	rounds := *seeds
	if testing.Short() {
		rounds = 20
	}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			s := randomScript(rand.New(rand.NewPCG(seed, 7)))
			if why := s.run(t); why != "" {
				s, why = s.reduced(t, why)
				t.Errorf("%s\nThe script, for -replay:\n%s", why, s)
			}
		})
	}
}

// TestReplay runs the script of -replay.
func TestReplay(t *testing.T) {
	if *replay == "" {
		t.Skip("no -replay FILE")
	}
	text, err := os.ReadFile(*replay)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseScript(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if why := s.run(t); why != "" {
		t.Error(why)
	}
}

// The printed text of a script is read as the same script.
func TestScriptsAreText(t *testing.T) {
	s := randomScript(rand.New(rand.NewPCG(1, 7)))
	again, err := parseScript(s.String())
	if err != nil || again.String() != s.String() {
		t.Errorf("%v\n%s\nis read as\n%s", err, s, again)
	}
	if _, err := parseScript("follow *.log\nexplode site0.log\n"); err == nil || !strings.Contains(err.Error(), "explode") {
		t.Errorf("an unknown operation: %v", err)
	}
}

// randomScript returns a script. The names of rotations are those of logrotate.
func randomScript(random *rand.Rand) script {
	s := script{{"follow", []string{[]string{"*.log", "*.log*", "*.log* old/*"}[random.IntN(3)]}}}
	add := func(verb string, args ...any) {
		o := op{verb: verb}
		for _, a := range args {
			o.args = append(o.args, fmt.Sprint(a))
		}
		s = append(s, o)
	}
	names := []string{"site0.log", "site1.log", "site2.log", "twin_80.log", "twin_443.log", "current.log"}
	remote := random.IntN(3) == 0
	if remote {
		add("remote")
	}
	rotated := 0
	for range 60 {
		name := names[random.IntN(3)]
		if random.IntN(4) == 0 {
			name = names[3+random.IntN(2)]
		}
		rotated++
		base := strings.TrimSuffix(name, ".log")
		to := []string{
			fmt.Sprintf("%s.%d", name, rotated), fmt.Sprintf("%s-2026%04d", name, rotated), fmt.Sprintf("%s-2026%04d.log", base, rotated),
			fmt.Sprintf("%s.%d.log", base, rotated), fmt.Sprintf("2026%04d-%s", rotated, name), fmt.Sprintf("%s.%d.bak", name, rotated),
			fmt.Sprintf("%s.old%d", name, rotated), fmt.Sprintf("%s-2026-W%d.log", base, rotated), fmt.Sprintf("old/%s-2026%04d", name, rotated),
		}[random.IntN(9)]
		if !strings.Contains(s[0].args[0], "old/") {
			to = strings.TrimPrefix(to, "old/") // what is moved to where no source looks is lost
		}
		switch random.IntN(20) {
		case 0, 1, 2, 3:
			add("grow", name, 1+random.IntN(5))
		case 4:
			add("rename", name, to)
		case 5:
			add("copytruncate", name, to)
		case 6:
			add("copytruncate-slowly", name, to)
		case 7:
			add("compress", name, to+".gz")
		case 8:
			add("late", name)
		case 9:
			add("crash")
		case 10:
			add("save")
		case 11:
			add("turns", 80) // logs go cold
		case 12, 13:
			add("twins", 1+random.IntN(3))
		case 14:
			add("hole", name, to)
		case 15:
			add("descriptors", []int{1, 2, 3, 100}[random.IntN(4)])
		case 16:
			if remote {
				add("elsewhere", name, 1+random.IntN(3))
			}
		case 17:
			add("switch", names[5], fmt.Sprintf("days/%d.txt", rotated))
		default:
			add("turn", random.IntN(2000))
		}
	}
	return s
}

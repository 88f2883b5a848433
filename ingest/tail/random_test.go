package tail

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/test/replay"
)

var (
	replayFile = flag.String("replay", "", "run the script in this file instead of random ones")
	seeds      = flag.Int("seeds", 60, "how many random scripts TestEveryLineOnceWhateverHappens runs")
)

// TestEveryLineOnceWhateverHappens does random operations on some logs, including kills of the
// process, and checks that every line is delivered exactly once. The operations are in
// script_test.go.
func TestEveryLineOnceWhateverHappens(t *testing.T) {
	rounds := *seeds
	if testing.Short() {
		rounds = min(rounds, 20)
	}
	m := replay.Machine[*chaos]{
		Random: randomScript, Start: newChaos, Ops: operations(), Fixed: 1,
		End: func(_ testing.TB, c *chaos) { c.end() },
	}
	m.Test(t, *replayFile, rounds)
}

// randomScript returns a script. The names of rotations are those of logrotate.
func randomScript(random *rand.Rand) replay.Script {
	patterns := []string{"*.log", "*.log*", "*.log* old/*"}[random.IntN(3)]
	s := replay.Script{replay.NewOp("follow", patterns)}
	add := func(verb string, args ...any) { s = append(s, replay.NewOp(verb, args...)) }
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
		if !strings.Contains(patterns, "old/") {
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

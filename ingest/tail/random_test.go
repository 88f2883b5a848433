package tail

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/ingest/checkpoint"
)

// TestEveryLineOnceWhateverHappens makes random things happen to some logs, the
// process's death among them, and asks for every line exactly once.
func TestEveryLineOnceWhateverHappens(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	for seed := range uint64(rounds) {
		pattern := []string{"*.log", "*.log*"}[seed%2]
		t.Run(fmt.Sprintf("seed %d %s", seed, pattern), func(t *testing.T) {
			c := &chaos{world: newWorld(t, pattern), random: rand.New(rand.NewPCG(seed, 7)), old: map[string]*os.File{}}
			c.start()
			for range 60 {
				c.act()
			}
			c.end()
		})
	}
}

// chaos does to logs what servers, logrotate and operators do.
type chaos struct {
	*world
	random  *rand.Rand
	written []string
	rotated int
	old     map[string]*os.File // descriptors of a server's old children
}

func (c *chaos) act() {
	name := fmt.Sprintf("site%d.log", c.random.IntN(3))
	switch c.random.IntN(12) {
	case 0, 1, 2, 3:
		c.grow(name)
	case 4:
		c.renameAway(name)
	case 5:
		c.copyTruncate(name)
	case 6:
		if f := c.old[name]; f != nil { // a late line
			c.write(f, c.line())
		}
	case 7:
		c.crash()
		c.recall()
		c.start()
	case 8:
		c.save()
	case 9:
		c.turns(80) // logs go cold
	default:
		c.turn(time.Duration(c.random.IntN(2000)) * time.Millisecond)
	}
}

func (c *chaos) line() string {
	n := len(c.written)
	line := fmt.Sprintf("%d %s", n, strings.Repeat("x", c.random.IntN(40)))
	c.written = append(c.written, line)
	return line + "\n"
}

func (c *chaos) grow(name string) {
	for range 1 + c.random.IntN(5) {
		c.append(name, c.line())
	}
}

// renameAway as logrotate does, and a child keeps the old descriptor.
func (c *chaos) renameAway(name string) {
	if info, err := os.Stat(c.path(name)); err != nil || info.Size() == 0 {
		return // an empty one has no identity yet
	}
	c.known()
	if f := c.old[name]; f != nil {
		c.must(f.Close())
	}
	c.old[name] = c.open(name)
	c.rotated++
	c.rename(name, fmt.Sprintf("%s.%d", name, c.rotated))
	if c.random.IntN(2) == 0 {
		c.append(name, c.line())
	}
}

// known makes sure that the saved checkpoint knows a log, as Follow does before it
// stores anything of it. One that is renamed to a name of no source before that
// is beyond what can be promised.
func (c *chaos) known() {
	if c.sources[0].Pattern == c.path("*.log") {
		c.turn(time.Second)
		c.save()
	}
}

func (c *chaos) copyTruncate(name string) {
	if info, err := os.Stat(c.path(name)); err != nil || info.Size() == 0 {
		return
	}
	c.known()
	c.rotated++
	c.copy(name, fmt.Sprintf("%s.%d", name, c.rotated))
	if c.random.IntN(2) == 0 {
		c.turn(time.Second) // the copy is seen beside the log
	}
	c.truncate(name)
	if c.random.IntN(2) == 0 {
		c.append(name, c.line())
	}
}

// recall brings what was delivered back to what the saved checkpoint says.
func (c *chaos) recall() {
	c.kept = nil
	saved := map[string]int64{}
	if b, err := os.ReadFile(c.path("state/checkpoint")); err == nil && len(b) > 0 {
		for _, s := range c.reopen().Streams() {
			saved[s.ID.String()] = s.Stored
		}
	}
	for id, got := range c.got {
		c.got[id] = got[:min(int64(len(got)), saved[id.String()])]
	}
}

func (c *chaos) end() {
	c.Helper()
	c.turns(100)
	for _, f := range c.old {
		c.must(f.Close())
	}
	var got []string
	for _, id := range c.order {
		got = append(got, slices.Collect(strings.Lines(string(c.got[id])))...)
	}
	for i := range got {
		got[i] = strings.TrimSuffix(got[i], "\n")
	}
	want := slices.Clone(c.written)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		c.Errorf("%d lines delivered, %d written; lost %v, doubled or torn %v\n%s", len(got), len(want), missing(want, got), missing(got, want), c.log.String())
	}
	if n := c.tailer.counters.LostBytes.Load(); n != 0 {
		c.Errorf("%d bytes are counted as lost", n)
	}
	if c.Failed() {
		c.dump()
	}
	c.tailer.stop()
}

// dump logs what there is, for whoever has to find out.
func (c *chaos) dump() {
	for _, id := range c.order {
		s := c.checkpoint.Stream(id)
		if s == nil {
			s = &checkpoint.Stream{}
		}
		c.Logf("stream %s %s files %v stored %d gone %d: %.60q", id, filepath.Base(s.Path), s.Files, s.Stored, s.GoneUnix, c.got[id])
	}
	for _, f := range c.tailer.files {
		c.Logf("file %v %s fd %d watch %d read %d size %d stream %v", f.id, filepath.Base(f.last), f.fd, f.wd, f.read, f.size, f.stream != nil)
	}
	entries, err := os.ReadDir(c.dir)
	c.must(err)
	for _, e := range entries {
		b, err := os.ReadFile(c.path(e.Name()))
		if err == nil {
			c.Logf("%s holds %.60q", e.Name(), b)
		}
	}
}

// missing is what of a is not in b, as often.
func missing(a, b []string) (only []string) {
	count := map[string]int{}
	for _, s := range b {
		count[s]++
	}
	for _, s := range a {
		if count[s]--; count[s] < 0 {
			only = append(only, s)
		}
	}
	return only
}

package tail

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/ingest/logfile"
	"sluice/test/replay"
)

// operations are the possible operations; the first, follow, has the sources' patterns. A new kind of
// event is a line here and one in randomScript.
func operations() map[string]func(testing.TB, *chaos, replay.Args) {
	// step counts operations. Methods of chaos use the TB of Start.
	step := func(do func(c *chaos, a replay.Args)) func(testing.TB, *chaos, replay.Args) {
		return func(_ testing.TB, c *chaos, a replay.Args) {
			do(c, a)
			c.step++
		}
	}
	return map[string]func(testing.TB, *chaos, replay.Args){
		"follow PATTERN...":          func(_ testing.TB, c *chaos, a replay.Args) { c.follow(a...); c.start() },
		"grow LOG N":                 step(func(c *chaos, a replay.Args) { c.grow(a[0], a.Int(1)) }),
		"twins N":                    step(func(c *chaos, a replay.Args) { c.twins(a.Int(0)) }),
		"late LOG":                   step(func(c *chaos, a replay.Args) { c.late(a[0]) }),
		"rename LOG TO":              step(func(c *chaos, a replay.Args) { c.renameAway(a[0], a[1]) }),
		"copytruncate LOG TO":        step(func(c *chaos, a replay.Args) { c.copyTruncate(a[0], a[1], false) }),
		"copytruncate-slowly LOG TO": step(func(c *chaos, a replay.Args) { c.copyTruncate(a[0], a[1], true) }),
		"compress LOG TO":            step(func(c *chaos, a replay.Args) { c.compressAway(a[0], a[1]) }),
		"hole LOG TO":                step(func(c *chaos, a replay.Args) { c.hole(a[0], a[1]) }),
		"descriptors N":              step(func(c *chaos, a replay.Args) { c.descriptors(a.Int(0)) }),
		"remote":                     step(func(c *chaos, _ replay.Args) { c.remote = true; clear(c.tailer.devices) }),
		"elsewhere LOG N":            step(func(c *chaos, a replay.Args) { c.elsewhere(a[0], a.Int(1)) }),
		"switch LINK TO":             step(func(c *chaos, a replay.Args) { c.switchLink(a[0], a[1]) }),
		"crash":                      step(func(c *chaos, _ replay.Args) { c.crash(); c.recall(); c.start() }),
		"save":                       step(func(c *chaos, _ replay.Args) { c.save() }),
		"turn N":                     step(func(c *chaos, a replay.Args) { c.turn(time.Duration(a.Int(0)) * time.Millisecond) }),
		"turns N":                    step(func(c *chaos, a replay.Args) { c.turns(a.Int(0)) }),
	}
}

// chaos does to logs what servers, logrotate and operators do.
type chaos struct {
	*world
	step    int
	written []string
	old     map[string]*os.File // descriptors of a server's old workers
}

func newChaos(t testing.TB) *chaos {
	c := &chaos{world: newWorld(t), old: map[string]*os.File{}}
	c.births = map[logfile.ID]int64{}
	c.must(os.MkdirAll(c.path("old"), 0o700))
	c.must(os.MkdirAll(c.path("days"), 0o700))
	return c
}

// made records when a file was created: each operation is later than the one before.
func (c *chaos) made(name string) {
	info, err := os.Stat(c.path(name))
	c.must(err)
	id, err := logfile.IDOf(info)
	c.must(err)
	c.births[id] = int64(c.step+1) * int64(3*time.Second)
}

func (c *chaos) has(name string) bool {
	info, err := os.Stat(c.path(name))
	return err == nil && info.Size() > 0
}

func (c *chaos) line() string {
	n := len(c.written)
	line := fmt.Sprintf("%d %s", n, strings.Repeat("x", n*7%41))
	c.written = append(c.written, line)
	return line + "\n"
}

func (c *chaos) appendTo(name, text string) {
	there := c.has(name)
	c.append(name, text)
	if !there {
		c.made(name)
	}
}

func (c *chaos) grow(name string, lines int) {
	for range lines {
		c.appendTo(name, c.line())
	}
}

// twins writes the same lines to two logs, as a health check does.
func (c *chaos) twins(lines int) {
	for range lines {
		line := c.line()
		c.written = append(c.written, c.written[len(c.written)-1])
		c.appendTo("twin_80.log", line)
		c.appendTo("twin_443.log", line)
	}
}

func (c *chaos) late(name string) {
	if f := c.old[name]; f != nil {
		c.write(f, c.line())
	}
}

// renameAway renames like logrotate, while a worker keeps the old descriptor.
func (c *chaos) renameAway(name, to string) {
	if !c.has(name) {
		return // an empty one has no identity yet
	}
	c.known()
	if f := c.old[name]; f != nil {
		c.must(f.Close())
	}
	c.old[name] = c.open(name)
	c.rename(name, to)
	if c.step%2 == 0 {
		c.appendTo(name, c.line())
	}
}

// known makes sure that the saved checkpoint has the logs, as Follow does before it stores lines of
// them. A log that is renamed before that, to a name that no source matches, cannot be identified;
// neither can writes by another host before the next poll.
func (c *chaos) known() {
	if c.remote {
		c.turns(4)
	}
	c.turn(time.Second)
	c.save()
}

func (c *chaos) copyTruncate(name, to string, slowly bool) {
	if !c.has(name) {
		return
	}
	c.known()
	c.copy(name, to)
	c.made(to)
	if slowly {
		c.turn(time.Second) // the copy is found beside the log
	}
	c.truncate(name)
	if c.step%2 == 0 {
		c.append(name, c.line())
	}
}

// hole copies and truncates a log whose writer does not use O_APPEND.
func (c *chaos) hole(name, to string) {
	if !c.has(name) {
		return
	}
	c.known()
	c.copy(name, to)
	c.made(to)
	info, err := os.Stat(c.path(name))
	c.must(err)
	c.truncate(name)
	c.writeAt(name, c.line(), info.Size())
}

// descriptors changes the number of descriptors of the process.
func (c *chaos) descriptors(n int) {
	c.maxOpen, c.tailer.descriptors.maxOpen, c.tailer.descriptors.budget = n, n, n
}

// elsewhere is grow by another host, without an event of inotify.
func (c *chaos) elsewhere(name string, lines int) {
	if !c.remote {
		return
	}
	c.must(c.tailer.opener.coldEvents()) // events of other files so far
	for wd, f := range c.tailer.set.coldBy {
		if filepath.Base(f.path()) == name {
			c.tailer.watch.unwatchCold(wd)
		}
	}
	c.must(c.tailer.watch.drainAll())
	c.grow(name, lines)
}

// compressAway compresses a log at once, as without delaycompress.
func (c *chaos) compressAway(name, to string) {
	if !c.has(name) {
		return
	}
	c.known()
	if f := c.old[name]; f != nil {
		c.must(f.Close())
		delete(c.old, name)
	}
	b, err := os.ReadFile(c.path(name))
	c.must(err)
	c.gzip(string(b), to)
	c.made(to)
	c.remove(name)
}

// switchLink changes the target of a symbolic link, and writes to that.
func (c *chaos) switchLink(link, to string) {
	c.known()
	c.appendTo(to, c.line())
	c.must(os.Symlink(c.path(to), c.path("link.tmp")))
	c.must(os.Rename(c.path("link.tmp"), c.path(link)))
}

// recall resets the delivered positions to those of the saved checkpoint.
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
		got[i] = strings.TrimLeft(strings.TrimSuffix(got[i], "\n"), "\x00")
	}
	want := slices.Clone(c.written)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		c.Errorf("%d lines delivered, %d written; lost %v, doubled or torn %v\n%s", len(got), len(want), missing(want, got), missing(got, want), c.log.String())
	}
	if n := c.tailer.counters.LostFiles.Load(); n != 0 {
		c.Errorf("%d logs are counted as lost: %v\n%s", n, c.checkpoint.Losses.All(), c.log.String())
	}
	if c.Failed() {
		c.dump()
	}
	c.tailer.stop()
}

// dump logs the files and streams, to analyse a failure.
func (c *chaos) dump() {
	for _, id := range c.order {
		if s := c.checkpoint.Stream(id); s != nil {
			c.Errorf("stream %s %s files %v stored %d gone %d: %.60q", id, filepath.Base(s.Path), s.Files, s.Stored, s.GoneUnix, c.got[id])
		}
	}
	for _, f := range c.tailer.set.files {
		c.Errorf("file %v %s fd %d watch %d read %d size %d stream %v", f.id, filepath.Base(f.last), f.fd, f.wd, f.read, f.size, f.stream != nil)
	}
}

// missing returns the elements of a that b does not have as often.
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

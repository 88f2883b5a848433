package tail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/ingest/logfile"
)

// script is a sequence of operations on some logs, one a line. A new kind of event is a line in
// operations and one in randomScript.
type script []op

type op struct {
	verb string
	args []string
}

func (o op) String() string { return strings.Join(append([]string{o.verb}, o.args...), " ") }

func (s script) String() string {
	var b strings.Builder
	for _, o := range s {
		fmt.Fprintln(&b, o)
	}
	return b.String()
}

// operations are the possible operations with their number of arguments; follow, the first line,
// has the sources' patterns.
var operations = map[string]struct {
	args int
	do   func(c *chaos, args []string)
}{
	"grow":                {2, func(c *chaos, a []string) { c.grow(a[0], c.number(a[1])) }},
	"twins":               {1, func(c *chaos, a []string) { c.twins(c.number(a[0])) }},
	"late":                {1, func(c *chaos, a []string) { c.late(a[0]) }},
	"rename":              {2, func(c *chaos, a []string) { c.renameAway(a[0], a[1]) }},
	"copytruncate":        {2, func(c *chaos, a []string) { c.copyTruncate(a[0], a[1], false) }},
	"copytruncate-slowly": {2, func(c *chaos, a []string) { c.copyTruncate(a[0], a[1], true) }},
	"compress":            {2, func(c *chaos, a []string) { c.compressAway(a[0], a[1]) }},
	"hole":                {2, func(c *chaos, a []string) { c.hole(a[0], a[1]) }},
	"descriptors":         {1, func(c *chaos, a []string) { c.descriptors(c.number(a[0])) }},
	"remote":              {0, func(c *chaos, _ []string) { c.remote = true; clear(c.tailer.devices) }},
	"elsewhere":           {2, func(c *chaos, a []string) { c.elsewhere(a[0], c.number(a[1])) }},
	"switch":              {2, func(c *chaos, a []string) { c.switchLink(a[0], a[1]) }},
	"crash":               {0, func(c *chaos, _ []string) { c.crash(); c.recall(); c.start() }},
	"save":                {0, func(c *chaos, _ []string) { c.save() }},
	"turn":                {1, func(c *chaos, a []string) { c.turn(time.Duration(c.number(a[0])) * time.Millisecond) }},
	"turns":               {1, func(c *chaos, a []string) { c.turns(c.number(a[0])) }},
}

func parseScript(text string) (s script, err error) {
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		o := op{fields[0], fields[1:]}
		known, ok := operations[o.verb]
		if i == 0 && o.verb == "follow" {
			o.args = []string{strings.Join(o.args, " ")}
		} else if !ok || len(o.args) != known.args {
			return nil, fmt.Errorf("line %d: %q is no operation with %d arguments", i+1, o.verb, len(o.args))
		}
		s = append(s, o)
	}
	if len(s) == 0 || s[0].verb != "follow" {
		return nil, errors.New("a script begins with: follow PATTERNS")
	}
	return s, nil
}

// run runs a script and returns why it failed; empty: every line was delivered once.
func (s script) run(t testing.TB) string {
	r := &recorder{TB: t, done: make(chan struct{})}
	go func() { // because a fatal error ends the goroutine
		defer close(r.done)
		c := &chaos{world: newWorld(r, strings.Fields(s[0].args[0])...), old: map[string]*os.File{}}
		c.births = map[logfile.ID]int64{}
		c.must(os.MkdirAll(c.path("old"), 0o700))
		c.must(os.MkdirAll(c.path("days"), 0o700))
		c.start()
		for i, o := range s[1:] {
			c.step = i
			operations[o.verb].do(c, o.args)
		}
		c.end()
	}()
	<-r.done
	return strings.Join(r.said, "\n")
}

// reduced returns the shortest script that it finds to fail too, and why.
func (s script) reduced(t testing.TB, why string) (script, string) {
	deadline := time.Now().Add(time.Minute)
	for n := len(s) / 2; n > 0; n /= 2 {
		for at := 1; at+n <= len(s) && time.Now().Before(deadline); {
			shorter := slices.Delete(slices.Clone(s), at, at+n)
			if said := shorter.run(t); said != "" {
				s, why = shorter, said
			} else {
				at++
			}
		}
	}
	return s, why
}

// recorder records the errors of a run, for the caller to judge.
type recorder struct {
	testing.TB
	said []string
	done chan struct{}
}

func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); runtime.Goexit() }
func (r *recorder) Fatal(args ...any)                 { r.said = append(r.said, fmt.Sprint(args...)); runtime.Goexit() }
func (r *recorder) Failed() bool                      { return len(r.said) > 0 }

// chaos does to logs what servers, logrotate and operators do.
type chaos struct {
	*world
	step    int
	written []string
	old     map[string]*os.File // descriptors of a server's old workers
}

func (c *chaos) number(s string) int {
	n, err := strconv.Atoi(s)
	c.must(err)
	return n
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
	c.maxOpen, c.tailer.set.maxOpen, c.tailer.set.budget = n, n, n
}

// elsewhere is grow by another host, without an event of inotify.
func (c *chaos) elsewhere(name string, lines int) {
	if !c.remote {
		return
	}
	c.must(c.tailer.coldEvents()) // events of other files so far
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

// recall resets what was delivered to what the saved checkpoint has.
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
		c.Errorf("%d logs are counted as lost: %v\n%s", n, c.checkpoint.Losses(), c.log.String())
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

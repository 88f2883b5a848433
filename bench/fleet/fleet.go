package fleet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// Shape is the distribution of lines over the busy files.
type Shape string

// The shapes. In Hot, the first hotFiles files get hotPercent of the lines.
const (
	Even Shape = "even"
	Hot  Shape = "hot"
	Idle Shape = "idle" // only the first line of each file is written

	hotFiles   = 8
	hotPercent = 90
)

// Rotation is the kind of rotation.
type Rotation string

// The rotations of logrotate.
const (
	NoRotation Rotation = "none"
	// Rename renames the file and creates a new one under its name. Like Apache's children after a
	// graceful restart, some lines are still written to the old one.
	Rename Rotation = "rename"
	// CopyTruncate copies the file and truncates it. Nothing is written between the two, because no
	// reader could deliver lines that are in no file.
	CopyTruncate Rotation = "copytruncate"
)

// Config are the parameters of a fleet. Durations are nanoseconds in JSON.
type Config struct {
	Dir            string   `json:"dir"` // must exist and be empty
	Files          int      `json:"files"`
	Busy           int      `json:"busy"` // number of files that are written to
	LinesPerSecond int      `json:"lines_per_second"`
	LinesPerWrite  int      `json:"lines_per_write"` // 1, as Apache does; 0: 1
	Shape          Shape    `json:"shape"`
	Rotation       Rotation `json:"rotation"`
	// RotateEvery is the interval between rotations of a file: all files at once or, if Staggered,
	// distributed over the interval.
	RotateEvery time.Duration `json:"rotate_every"`
	Staggered   bool          `json:"staggered"`
	// LateFor is how long a quarter of a file's lines is written to the renamed file.
	LateFor time.Duration `json:"late_for"`
	// Keep is the number of rotated files of each log; older ones are deleted.
	Keep int    `json:"keep"`
	Seed uint64 `json:"seed"`

	Now func() time.Time `json:"-"`
}

func (c *Config) check() error {
	switch {
	case c.Files < 1 || c.Files > maxFiles || c.Busy < 0 || c.Busy > c.Files:
		return fmt.Errorf("a fleet has 1 to %d files, and no more busy ones than files: %d, %d busy", maxFiles, c.Files, c.Busy)
	case c.LinesPerSecond < 0 || c.LinesPerWrite < 0:
		return errors.New("lines a second and lines a write are not negative")
	case c.Shape != Even && c.Shape != Hot && c.Shape != Idle:
		return fmt.Errorf("%q is no shape: even, hot or idle", c.Shape)
	case c.Rotation != NoRotation && c.Rotation != Rename && c.Rotation != CopyTruncate:
		return fmt.Errorf("%q is no rotation: none, rename or copytruncate", c.Rotation)
	case c.Rotation != NoRotation && (c.RotateEvery <= 0 || c.Keep < 1 || c.LateFor >= c.RotateEvery):
		return errors.New("rotation needs an interval, at least one file that is kept, and late writers that end before the next")
	}
	return nil
}

// Fleet writes the files. It is not safe for concurrent use.
type Fleet struct {
	c      Config
	rng    *rand.Rand
	maker  *maker
	files  []*file // the busy ones first
	ledger Ledger
	buffer []byte

	began          time.Time
	written        int64 // lines since Begin
	lines, bytes   int64
	rotated        int
	lateLineChance uint64 // one line in so many is written to the renamed file
}

// file is a log: the current file of its name, and the renamed one while it is written to.
type file struct {
	number  int
	path    string
	current generation
	late    generation
	lateEnd time.Time
	next    time.Time // of the next rotation
}

// generation is an open file and its life.
type generation struct {
	f    *os.File
	life *Life
}

// idleFor is how long idle files have not been written.
const idleFor = time.Hour

// New creates the files with one line each, because an empty log has no identity yet. The caller
// must call Close.
func New(c Config) (_ *Fleet, err error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.LinesPerWrite = max(c.LinesPerWrite, 1)
	f := &Fleet{c: c, rng: rand.New(rand.NewPCG(c.Seed, 0x666c656574)), maker: newMaker(c.Seed), lateLineChance: 4}
	f.ledger.Seed = c.Seed
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	for i := range c.Files {
		l := &file{number: i, path: filepath.Join(c.Dir, fmt.Sprintf("access-%05d.log", i))}
		if err := f.open(l, 0); err != nil {
			return nil, err
		}
		f.files = append(f.files, l)
		if err := f.write(l, l.current, 1); err != nil {
			return nil, err
		}
		if i < c.Busy && c.Shape != Idle {
			continue
		}
		if err := l.current.close(); err != nil { // not written to any more
			return nil, err
		}
		l.current.f = nil
		idle := c.Now().Add(-idleFor)
		if err := os.Chtimes(l.path, idle, idle); err != nil {
			return nil, err
		}
	}
	f.Begin()
	return f, nil
}

// Begin sets the start time: Step writes the lines that are due since then.
func (f *Fleet) Begin() {
	f.began, f.written = f.c.Now(), 0
	for i, l := range f.busy() {
		l.next = f.began.Add(f.c.RotateEvery)
		if f.c.Staggered {
			l.next = l.next.Add(f.c.RotateEvery * time.Duration(i) / time.Duration(len(f.busy())))
		}
	}
}

func (f *Fleet) busy() []*file { return f.files[:f.c.Busy] }

// Step rotates the files that are due, and writes the lines that are due: the rate times the time
// since Begin, minus what was written.
func (f *Fleet) Step() error {
	if f.c.Shape == Idle || f.c.Busy == 0 {
		return nil
	}
	now := f.c.Now()
	if f.c.Rotation != NoRotation {
		if err := f.rotateDue(now); err != nil {
			return err
		}
	}
	due := int64(now.Sub(f.began).Seconds() * float64(f.c.LinesPerSecond))
	for f.written < due {
		n := int(min(due-f.written, int64(f.c.LinesPerWrite)))
		l := f.pick()
		g := l.current
		if l.late.f != nil && f.rng.Uint64()%f.lateLineChance == 0 {
			g = l.late
		}
		if err := f.write(l, g, n); err != nil {
			return err
		}
		f.written += int64(n)
	}
	return nil
}

// pick chooses the file for the next lines.
func (f *Fleet) pick() *file {
	busy := f.busy()
	if f.c.Shape == Hot && len(busy) > hotFiles {
		if f.rng.Uint64()%100 < hotPercent {
			busy = busy[:hotFiles]
		} else {
			busy = busy[hotFiles:]
		}
	}
	return busy[f.rng.Uint64()%uint64(len(busy))]
}

// write appends n lines to a generation of the file with one write(2).
func (f *Fleet) write(l *file, g generation, n int) error {
	f.buffer = f.buffer[:0]
	now := f.c.Now()
	for range n {
		at := len(f.buffer)
		f.buffer = f.maker.appendLine(f.buffer, LineID{l.number, g.life.Life, g.life.Lines}, now, f.rng)
		if err := g.life.add(f.buffer[at:]); err != nil {
			return err
		}
	}
	f.lines, f.bytes = f.lines+int64(n), f.bytes+int64(len(f.buffer))
	_, err := g.f.Write(f.buffer)
	return err
}

// Written returns the number of lines and bytes so far, including first lines, and of rotations.
func (f *Fleet) Written() (lines, bytes int64, rotated int) { return f.lines, f.bytes, f.rotated }

// Ledger returns the ledger so far. It belongs to the fleet and changes with Step.
func (f *Fleet) Ledger() *Ledger { return &f.ledger }

// Close closes the files without removing them.
func (f *Fleet) Close() error {
	var err error
	for _, l := range f.files {
		err = errors.Join(err, l.current.close(), l.late.close())
	}
	return err
}

func (g *generation) close() error {
	if g.f == nil {
		return nil
	}
	err := g.f.Close()
	g.f = nil
	return err
}

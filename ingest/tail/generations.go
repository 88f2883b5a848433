package tail

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"sluice/ingest/checkpoint"
)

// maxGenerations is the number of files whose names differ in a number or date beyond which they are
// not taken for generations of one log. Thousands of logs may have such names.
const maxGenerations = 4096

// generations are the files of a directory, by the logs of which they may be earlier generations.
type generations struct {
	dir   string
	files []generation
	// byOrigin are the numbers of files by the names of their logs (checkpoint.Origins), byName by
	// their names without numbers and dates (checkpoint.RotatedName).
	byOrigin, byName map[string][]int
}

// generation is a file of the directory. Its time is found when it is first needed.
type generation struct {
	entry    os.DirEntry
	known    bool
	modified time.Time // zero: it is empty, or no regular file
}

// listGenerations lists a directory. If that fails, no log has generations.
func listGenerations(dir string) *generations {
	g := &generations{dir: dir, byOrigin: map[string][]int{}, byName: map[string][]int{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return g
	}
	for i, e := range entries {
		g.files = append(g.files, generation{entry: e})
		for _, log := range checkpoint.Origins(e.Name()) {
			g.byOrigin[log] = append(g.byOrigin[log], i)
		}
		name := checkpoint.RotatedName(filepath.Join(dir, e.Name()))
		g.byName[name] = append(g.byName[name], i)
	}
	return g
}

// of returns the times of the last write to each earlier generation of a log, in ascending order.
func (g *generations) of(path string) []time.Time {
	numbers := slices.Concat(g.byOrigin[checkpoint.Origins(filepath.Base(path))[0]], g.byName[checkpoint.RotatedName(path)])
	if len(numbers) > maxGenerations {
		return nil
	}
	slices.Sort(numbers)
	var times []time.Time
	for _, i := range slices.Compact(numbers) {
		if f := &g.files[i]; f.entry.Name() != filepath.Base(path) && !f.time().IsZero() {
			times = append(times, f.modified)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

func (f *generation) time() time.Time {
	if !f.known {
		f.known = true
		if info, err := f.entry.Info(); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			f.modified = info.ModTime()
		}
	}
	return f.modified
}

package columnar

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"

	"sluice/archive"
)

// TreeStore is a tree that files are stored in and removed from; an archive.Archive is one.
type TreeStore interface {
	ReadStore
	Store(ctx context.Context, localPath, name string) error
	Remove(ctx context.Context, name string) error
}

const (
	// defaultTargetBytes is the approximate size of merged files.
	defaultTargetBytes = 128 << 20
	// mergedPrefix is the prefix of a merged file's name.
	mergedPrefix = "merged."
	// A file that is more than lateFactor times as large as the later ones is not merged until
	// there are maxLateFiles of those.
	lateFactor   = 16
	maxLateFiles = 16
	// maxReplaces bounds the names of replaced files in a merged file. Without its name, a replaced
	// file that reappears is still counted once, by its ranges.
	maxReplaces = 4096
)

// CompactOptions are the parameters of a compaction.
type CompactOptions struct {
	// TempDir is a local directory for temporary files.
	TempDir string
	// Partitions parses the name of a directory of the tree; nil: day=20260903 and host=web01.
	Partitions func(dir string) Partition
	// Bounds selects a part of the tree.
	Bounds Bounds
	// Closed reports whether a directory is complete; others are not merged.
	Closed func(Partition) bool
	// TargetBytes is the approximate size of a merged file; 0: 128 MiB.
	TargetBytes int64
	// DryRun reports without changing anything.
	DryRun bool
	Log    *slog.Logger
}

// Compaction is the result of a compaction.
type Compaction struct {
	// Merged files were made of Files with FileBytes; they have Bytes.
	Merged, Files    int
	FileBytes, Bytes int64
	// Removed files were merged by a compaction that was interrupted.
	Removed int
	Rows    int64
}

// compactor is the state of a running compaction.
type compactor struct {
	table *Table
	store TreeStore
	o     CompactOptions
	done  Compaction
}

// Compact merges the small files of each closed directory. A merged file has the names of the files
// that it replaces, is stored before they are removed, and from then on counts instead of them:
// after an interruption at any time every row is there once, and the next Compact removes the
// replaced files. An error in one directory does not keep the others from being merged.
func Compact(ctx context.Context, store TreeStore, o CompactOptions) (Compaction, error) {
	if o.TargetBytes == 0 {
		o.TargetBytes = defaultTargetBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &compactor{table: OpenTable(store, TableOptions{Log: o.Log, Partitions: o.Partitions}), store: store, o: o}
	files, err := c.table.list(ctx, o.Bounds)
	if err != nil {
		return c.done, fmt.Errorf("table: compact: %w", err)
	}
	var errs []error
	for _, d := range byDir(files) {
		if !o.Closed(c.table.o.Partitions(d.dir)) || len(d.files) < 2 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return c.done, err
		}
		if err := c.dir(ctx, d.dir, d.files); err != nil {
			errs = append(errs, fmt.Errorf("table: compact %s: %w", d.dir, err))
		}
	}
	return c.done, errors.Join(errs...)
}

// dirFiles is the files of one directory.
type dirFiles struct {
	dir   string
	files []archive.File
}

func byDir(files []archive.File) []dirFiles {
	var dirs []dirFiles
	at := map[string]int{}
	for _, f := range files {
		dir := DirOf(f.Name)
		i, known := at[dir]
		if !known {
			i = len(dirs)
			at[dir] = i
			dirs = append(dirs, dirFiles{dir: dir})
		}
		dirs[i].files = append(dirs[i].files, f)
	}
	return dirs
}

// dir merges the files of one directory.
func (c *compactor) dir(ctx context.Context, dir string, files []archive.File) (err error) {
	footers, err := c.table.readFooters(ctx, files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dropAll(footers)) }()
	live, err := c.removeReplaced(ctx, footers)
	if err != nil {
		return err
	}
	for _, group := range mergeGroups(live, c.o.TargetBytes) {
		if err := c.merge(ctx, dir, group); err != nil {
			return err
		}
	}
	return nil
}

// removeReplaced removes the replaced files of an interrupted compaction, and returns the other
// files.
func (c *compactor) removeReplaced(ctx context.Context, footers []*footer) (live []*footer, err error) {
	replaced := replacedNames(footers)
	for _, f := range footers {
		if !replaced[f.name] {
			live = append(live, f)
			continue
		}
		if !c.o.DryRun {
			if err := remove(ctx, c.store, f.name); err != nil {
				return nil, err
			}
		}
		c.done.Removed++
	}
	return live, nil
}

// remove removes a file that may be missing.
func remove(ctx context.Context, store TreeStore, name string) error {
	if err := store.Remove(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// mergeGroups groups files to merge: in the order of their times, as many as reach the target size
// together. A file that is nearly as large is left out.
func mergeGroups(files []*footer, target int64) [][]*footer {
	var small []*footer
	for _, f := range files {
		if f.bytes < target/4*3 {
			small = append(small, f)
		}
	}
	slices.SortStableFunc(small, func(a, b *footer) int {
		if a.meta.MinTime != b.meta.MinTime {
			return int(min(max(a.meta.MinTime-b.meta.MinTime, -1), 1))
		}
		return strings.Compare(a.name, b.name)
	})
	var groups [][]*footer
	var bytes int64
	for _, f := range small {
		if n := len(groups); n == 0 || bytes+f.bytes > target {
			groups, bytes = append(groups, nil), 0
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], f)
		bytes += f.bytes
	}
	return slices.DeleteFunc(groups, func(g []*footer) bool { return !worthwhile(g) })
}

// worthwhile reports whether a group is to be merged: a large file is not rewritten for each small
// late one.
func worthwhile(group []*footer) bool {
	var largest, all int64
	for _, f := range group {
		largest, all = max(largest, f.bytes), all+f.bytes
	}
	return len(group) > 1 && (len(group) > maxLateFiles || largest < lateFactor*(all-largest))
}

// merge makes one file of several.
func (c *compactor) merge(ctx context.Context, dir string, files []*footer) error {
	name, replaces := mergedName(files)
	if c.o.DryRun {
		c.count(files, 0)
		return nil
	}
	bytes, err := c.mergeInto(ctx, path.Join(dir, name), files, replaces)
	if err != nil {
		return err
	}
	c.count(files, bytes)
	c.o.Log.Info("table files merged", "directory", dir, "file", name, "files", len(files), "bytes", bytes)
	for _, f := range files {
		if err := remove(ctx, c.store, f.name); err != nil {
			return err
		}
	}
	return nil
}

// count adds files that were merged into one.
func (c *compactor) count(files []*footer, bytes int64) {
	c.done.Merged++
	c.done.Bytes += bytes
	for _, f := range files {
		c.done.Files++
		c.done.FileBytes += f.bytes
		c.done.Rows += f.meta.Rows
	}
}

// mergedName derives the name of a merged file from the files that it replaces, so that a repeated
// merge makes the same name.
func mergedName(files []*footer) (name string, replaces []string) {
	earlier := map[string]bool{}
	for _, f := range files {
		replaces = append(replaces, path.Base(f.name))
		for _, base := range f.meta.Replaces {
			earlier[base] = true
		}
	}
	slices.Sort(replaces)
	sum := sha256.Sum256([]byte(strings.Join(replaces, "\n")))
	if len(earlier)+len(replaces) <= maxReplaces {
		for base := range earlier {
			replaces = append(replaces, base)
		}
		slices.Sort(replaces)
		replaces = slices.Compact(replaces)
	}
	return mergedPrefix + hex.EncodeToString(sum[:8]) + Suffix, replaces
}

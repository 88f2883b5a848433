package columnar

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
)

// RemoveBadMerged removes damaged merged files, for a repair that has rebuilt the files that they
// were merged from. A damaged file whose rows are not all in other files is kept; unreadable also
// removes files whose rows are unknown, if the caller has rebuilt everything. It returns the names
// of the removed files.
func RemoveBadMerged(ctx context.Context, store TreeStore, unreadable bool) (removed []string, err error) {
	bad := map[string]bool{}
	_, err = Verify(ctx, store, func(name string) bool { return strings.HasPrefix(path.Base(name), mergedPrefix) }, func(p Problem) { bad[p.File] = true })
	if err != nil || len(bad) == 0 {
		return nil, err
	}
	t := OpenTable(store, TableOptions{SkipDamaged: true})
	for name := range bad {
		covered, known, err := t.inOtherFiles(ctx, name, bad)
		if err != nil {
			return removed, fmt.Errorf("table: %w", err)
		}
		if known && !covered || !known && !unreadable {
			continue
		}
		if err := remove(ctx, store, name); err != nil {
			return removed, fmt.Errorf("table: %w", err)
		}
		removed = append(removed, name)
	}
	return removed, nil
}

// inOtherFiles reports whether other, intact files of the directory have all rows of a file; known
// is false if its footer cannot be read.
func (t *Table) inOtherFiles(ctx context.Context, name string, bad map[string]bool) (covered, known bool, err error) {
	dir := DirOf(name)
	only := &Table{store: t.store, o: t.o, dir: &dir}
	files, err := only.list(ctx, Bounds{})
	if err != nil {
		return false, false, err
	}
	footers, err := only.readFooters(ctx, files)
	if err != nil {
		return false, false, err
	}
	defer func() { err = errors.Join(err, dropAll(footers)) }()
	have := coverage{}
	var of *footer
	for _, f := range footers {
		if f.name == name {
			of = f
		} else if !bad[f.name] {
			have.take(f, nil)
		}
	}
	if of == nil {
		return false, false, nil
	}
	return have.take(of, nil) == nil, true, nil
}

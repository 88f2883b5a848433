package bulkload

import (
	"context"
	"errors"
	"fmt"

	"sluice/hbase/region"
	"sluice/schema"
)

// putRows and putBytes are the number of rows, and the size of their values, that are read from a file
// and written with Put at a time.
const (
	putRows  = 1024
	putBytes = 2 << 20
)

// loadParts cuts a file at the border of the region r, which its first row is in, and loads the
// parts.
func (t *transfer) loadParts(ctx context.Context, r *region.Region) error {
	parts, err := t.u.local.cut(ctx, t.file, r)
	if err != nil {
		return fmt.Errorf("cut a file at the border of the region %q: %w", r.Name, err)
	}
	for i, part := range parts {
		if err := t.u.load(ctx, part); err != nil { // the whole file stays, and is cut again
			return errors.Join(err, removeAll(parts[i:]))
		}
	}
	return nil
}

func removeAll(files []*localFile) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.remove())
	}
	return errors.Join(errs...)
}

// cut copies a file's rows into one file for those in the region, and another one for those behind
// it.
func (d *localDir) cut(ctx context.Context, f *localFile, r *region.Region) (parts []*localFile, err error) {
	var w *fileWriter
	defer func() {
		if err != nil && w != nil {
			err = errors.Join(err, w.discard())
		}
		if err != nil {
			err = errors.Join(err, removeAll(parts))
		}
	}()
	end := func() error {
		part, err := w.close()
		w = nil
		if err == nil {
			parts = append(parts, part)
		}
		return err
	}
	for row, err := range d.rows(ctx, f) {
		if err == nil && w != nil && r.Has(w.file.last) && !r.Has(row.key) {
			err = end()
		}
		if err == nil && w == nil {
			w, err = d.create(f.exclude)
		}
		if err == nil {
			err = w.add(row.key, row.time, row.cells)
		}
		if err != nil {
			return parts, err
		}
	}
	return parts, end()
}

// putBack writes a file's rows with Put, and lets all later ones go there, because the next file
// would fail for the same reason.
func (u *uploader) putBack(ctx context.Context, f *localFile, reason error) error {
	u.fallback.giveUp(reason)
	var rows schema.Rows
	size := 0
	for row, err := range u.local.rows(ctx, f) {
		if err == nil {
			rows.Append(row.key, row.time, copied(row.cells))
			size += valueBytes(row.cells)
			if rows.Len() == putRows || size >= putBytes {
				err = u.table.Put(ctx, &rows)
				rows.Reset()
				size = 0
			}
		}
		if err != nil {
			return fmt.Errorf("write the rows of a file with Put: %w", err)
		}
	}
	if err := u.table.Put(ctx, &rows); err != nil {
		return fmt.Errorf("write the rows of a file with Put: %w", err)
	}
	return nil
}

// copied returns a copy of cells with their values.
func copied(cells []schema.Cell) []schema.Cell {
	all := make([]schema.Cell, len(cells))
	for i, c := range cells {
		all[i] = schema.Cell{Qualifier: c.Qualifier, Value: append([]byte(nil), c.Value...)}
	}
	return all
}

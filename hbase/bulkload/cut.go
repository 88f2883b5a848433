package bulkload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"crypto/rand"

	"sluice/hbase/hfile"
	"sluice/hbase/region"
	"sluice/schema"
)

// putRows is the number of rows that are read from a file and written with Put at a time.
const putRows = 1024

// eachRow reads a file's rows in order. Their bytes are valid until do returns.
func (l *Loader) eachRow(f *localFile, do func(key []byte, eventNanos int64, cells []schema.Cell) error) (err error) {
	in, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	var key []byte
	var time int64
	var cells []schema.Cell
	var values buffer
	pass := func() error {
		if len(cells) == 0 {
			return nil
		}
		err := do(key, time, cells)
		cells, values.arena = cells[:0], values.arena[:0]
		return err
	}
	err = hfile.Read(in, l.o.Compression, func(c hfile.Cell) error {
		if string(c.Row) != string(key) {
			if err := pass(); err != nil {
				return err
			}
			key, time = append(key[:0], c.Row...), int64(c.Timestamp)*1e6
		}
		at := len(values.arena)
		values.arena = append(values.arena, c.Value...) // growing does not move earlier values
		cells = append(cells, schema.Cell{Qualifier: string(c.Qualifier), Value: values.arena[at:]})
		return nil
	})
	if err == nil {
		err = pass()
	}
	return err
}

// loadParts cuts a file at the end of the region r, which its first row is in, and loads both parts.
func (t *transfer) loadParts(ctx context.Context, r *region.Region) error {
	var parts []*localFile
	var w *fileWriter
	end := func() error {
		part, err := w.close()
		w = nil
		parts = append(parts, part)
		return err
	}
	err := t.eachRow(t.file, func(key []byte, time int64, cells []schema.Cell) (err error) {
		if w != nil && r.Has(w.file.last) && !r.Has(key) {
			if err := end(); err != nil {
				return err
			}
		}
		if w == nil {
			if w, err = t.create(true); err != nil {
				return err
			}
		}
		return w.add(key, time, cells)
	})
	if err == nil && w != nil {
		err = end()
	}
	if err != nil {
		if w != nil {
			err = errors.Join(err, w.discard())
		}
		return fmt.Errorf("cut a file at the border of the region %q: %w", r.Name, err)
	}
	for _, part := range parts {
		if err := t.load(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// putBack writes a file's rows with Put, and all later ones, because the next file would meet the
// same reason.
func (l *Loader) putBack(ctx context.Context, f *localFile, reason error) error {
	l.setReason(reason)
	var rows schema.Rows
	err := l.eachRow(f, func(key []byte, time int64, cells []schema.Cell) error {
		rows.Append(key, time, copied(cells))
		if rows.Len() < putRows {
			return nil
		}
		defer rows.Reset()
		return l.table.Put(ctx, &rows)
	})
	if err == nil {
		err = l.table.Put(ctx, &rows)
	}
	if err != nil {
		return fmt.Errorf("write the rows of a file with Put: %w", err)
	}
	return f.remove()
}

// copied returns a copy of cells with their values.
func copied(cells []schema.Cell) []schema.Cell {
	all := make([]schema.Cell, len(cells))
	for i, c := range cells {
		all[i] = schema.Cell{Qualifier: c.Qualifier, Value: append([]byte(nil), c.Value...)}
	}
	return all
}

// rename gives the file another name in the staging directory.
func (f *localFile) rename() { f.name = strings.ToLower(rand.Text()) }

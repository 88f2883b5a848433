package soak

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"sluice/schema"
)

// scanner is a table that a check reads.
type scanner interface {
	Scan(ctx context.Context, s schema.Scan) iter.Seq2[*schema.Row, error]
}

// maxListed is the maximum number of differences in an error.
const maxListed = 5

// sameLines scans both tables and compares every byte of every cell. It returns the number of rows of
// want; an error lists the differences.
func sameLines(ctx context.Context, want, got scanner, s schema.Scan) (rows int64, err error) {
	nextWant, stopWant := iter.Pull2(want.Scan(ctx, s))
	defer stopWant()
	nextGot, stopGot := iter.Pull2(got.Scan(ctx, s))
	defer stopGot()
	var d differences
	w, wantErr, wantOK := nextWant()
	g, gotErr, gotOK := nextGot()
	for wantOK || gotOK {
		if wantErr != nil || gotErr != nil {
			return rows, cmp.Or(wantErr, gotErr)
		}
		order := compareRows(w, g, wantOK, gotOK)
		switch {
		case order < 0:
			d.note("missing", w)
		case order > 0:
			d.note("not of the log, or twice", g)
		case !bytes.Equal(w.Key, g.Key) || !slices.EqualFunc(w.Cells, g.Cells, sameCell):
			d.note("other cells", g)
		}
		if order <= 0 {
			rows++
			w, wantErr, wantOK = nextWant()
		}
		if order >= 0 {
			g, gotErr, gotOK = nextGot()
		}
	}
	return rows, d.err()
}

// compareRows compares rows in the order of a scan; a missing row is after all others.
func compareRows(a, b *schema.Row, aOK, bOK bool) int {
	if !aOK || !bOK {
		return cmp.Compare(btoi(bOK), btoi(aOK))
	}
	return a.Order().Compare(b.Order())
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func sameCell(a, b schema.Cell) bool {
	return a.Qualifier == b.Qualifier && bytes.Equal(a.Value, b.Value)
}

type differences struct {
	n     int
	texts []string
}

func (d *differences) note(what string, r *schema.Row) {
	if d.n++; d.n <= maxListed {
		d.texts = append(d.texts, fmt.Sprintf("%s: key %x, stream %s, offset %d", what, r.Key, r.Stream, r.Offset))
	}
}

func (d *differences) err() error {
	if d.n == 0 {
		return nil
	}
	return fmt.Errorf("%d rows differ: %s", d.n, strings.Join(d.texts, "; "))
}

package checks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"sluice/hbase"
	"sluice/hbase/region"
)

// table reads the table's layout, and whether it serves.
func (e *examination) table(ctx context.Context) bool {
	return e.step(ctx, stepTable+" "+e.URL.Table, func(ctx context.Context) (_ string, err error) {
		o := e.Options
		want := o.Layout
		o.Layout = nil
		admin := hbase.OpenAdmin(e.URL, o)
		defer func() { err = errors.Join(err, admin.Close()) }()
		if e.layout, err = admin.Layout(ctx); err != nil {
			return "", err
		}
		if want != nil && want.Name != e.layout.Name {
			return "", &hbase.LayoutError{Table: e.URL.Table, Have: e.layout, Want: *want}
		}
		err = e.cluster.CheckEnabled(ctx, e.URL.Table)
		if errors.Is(err, hbase.ErrTableDisabled) {
			return "", fmt.Errorf("%w: enable '%s' in the HBase shell", err, e.URL.Table)
		}
		if err != nil {
			return "", err
		}
		text := fmt.Sprintf("layout %s, family %s", e.layout.Name, e.layout.Family)
		if e.layout.Salts > 0 {
			text += fmt.Sprintf(", %d salts", e.layout.Salts)
		}
		if len(e.layout.Cells) > 0 {
			text += ", cells " + strings.Join(e.layout.Cells, ",")
		}
		return text, nil
	})
}

// shownRegions is how many regions are named that something is wrong with.
const shownRegions = 3

// assignments looks whether the regions cover all keys, and are served by servers
// that are running.
func (e *examination) assignments(ctx context.Context) bool {
	return e.step(ctx, stepRegions, func(ctx context.Context) (_ string, err error) {
		if e.regions, err = e.cluster.Assignments(ctx, e.URL.Table); err != nil {
			return "", err
		}
		var wrong []string
		servers := map[string]bool{}
		var end []byte
		for i, a := range e.regions {
			switch {
			case !bytes.Equal(a.Start, end) || i > 0 && len(end) == 0:
				wrong = append(wrong, fmt.Sprintf("no region has the keys from %x to %x", end, a.Start))
			case a.Server.Host == "" || a.State != "" && a.State != region.OpenState:
				wrong = append(wrong, fmt.Sprintf("the region from key %x is %s", a.Start, a.State))
			case e.status.live != nil && !e.status.alive(a.Server):
				wrong = append(wrong, fmt.Sprintf("the region from key %x is on %s, which is dead", a.Start, a.Server))
			}
			servers[a.Server.Address()] = true
			end = a.End
		}
		if len(e.regions) == 0 || len(end) > 0 {
			wrong = append(wrong, fmt.Sprintf("no region has the keys after %x", end))
		}
		if n := len(wrong); n > 0 {
			return "", fmt.Errorf("of %d regions, %d are wrong (wait a moment; if that does not help, see the master's page, or use HBCK2): %s",
				len(e.regions), n, strings.Join(wrong[:min(n, shownRegions)], "; "))
		}
		return fmt.Sprintf("%d, all open; servers that have them: %d", len(e.regions), len(servers)), nil
	})
}

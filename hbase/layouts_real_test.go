package hbase_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/hbase"
	"sluice/parse"
	"sluice/query"
	"sluice/schema"
	"sluice/table/tabletest"
	"sluice/test/cluster"
)

// TestAFamilyWithOtherSettingsIsReported checks each attribute. Any compression is accepted if none
// is configured.
func TestAFamilyWithOtherSettingsIsReported(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	u := newURL(t, c)
	a := hbase.OpenAdmin(u, hbase.Options{})
	packed, err := schema.NewLayout(schema.LayoutPacked)
	check(t, err)
	packed.Salts = 2
	made := hbase.Creation{Layout: packed, Compression: "GZ", TTL: time.Hour}
	if compression, _, err := a.Create(t.Context(), made); err != nil || compression != "GZ" {
		t.Fatalf("create: compression %s, %v", compression, err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		check(t, a.Drop(ctx))
		check(t, a.Close())
	}()
	for _, same := range []hbase.Creation{made, {Layout: packed, TTL: time.Hour}} {
		if compression, again, err := a.Create(t.Context(), same); err != nil || again || compression != "GZ" {
			t.Errorf("create again: compression %s, made is %v, %v", compression, again, err)
		}
	}
	var family *hbase.FamilyError
	_, _, err = a.Create(t.Context(), hbase.Creation{Layout: packed, Compression: "NONE"})
	if !errors.As(err, &family) || !slices.Equal(family.Different, []string{"COMPRESSION GZ, not NONE", "TTL 3600 s, not FOREVER"}) {
		t.Errorf("another family: %v", err)
	}
	typed := typed(t)
	_, _, err = a.Create(t.Context(), hbase.Creation{Layout: typed})
	if err == nil || !strings.Contains(err.Error(), "layout packed, not typed, salts 2, not 8") {
		t.Errorf("another layout: %v", err)
	}
}

// TestATTLCountsFromTheEvent checks that a row expires by its event time, or by the time of writing if
// it has none: an old row expires at once, an undated one stays, also if it is put again.
func TestATTLCountsFromTheEvent(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	u := newURL(t, c)
	a := hbase.OpenAdmin(u, hbase.Options{})
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		check(t, a.Drop(ctx))
		check(t, a.Close())
	}()
	layout := typed(t)
	layout.Salts = 2
	_, _, err := a.Create(t.Context(), hbase.Creation{Layout: layout, TTL: time.Hour})
	check(t, err)
	table, err := hbase.Open(t.Context(), u, hbase.Options{})
	check(t, err)
	stream := &schema.Stream{ID: 7, Host: "web01"}
	e := layout.NewRowEncoder(stream, nil)
	var rows schema.Rows
	put := func(offset, time int64, line string) {
		var rec schema.Record
		rec.Reset([]byte(line), nil)
		rec.Time, rec.Dated = time, time != 0
		e.Append(&rows, offset, &rec)
	}
	now := time.Now().UnixNano()
	put(0, now-int64(2*time.Hour), "too old")
	put(10, now, "young")
	put(20, 0, "undated")
	layout.AppendStream(&rows, &schema.StreamEntry{Stream: *stream})
	for range 2 {
		check(t, table.Put(t.Context(), &rows))
		check(t, table.Flush(t.Context()))
		var got []string
		for row, err := range table.Scan(t.Context(), schema.Scan{}) {
			check(t, err)
			line, _ := row.Cell(schema.LogbodyField)
			got = append(got, string(line))
		}
		if !slices.Equal(got, []string{"undated", "young"}) {
			t.Errorf("rows %q", got)
		}
	}
	if streams, err := table.Streams(t.Context()); err != nil || len(streams) != 1 {
		t.Errorf("%d streams, %v", len(streams), err)
	}
	check(t, table.Close())
}

// TestAFilterOnAFieldWithoutACellLosesNoRow checks each layout: a server returns rows that it cannot
// decide.
func TestAFilterOnAFieldWithoutACellLosesNoRow(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	few := typed(t)
	few.Salts, few.Cells = 2, []string{"status"}
	packed, err := schema.NewLayout(schema.LayoutPacked)
	check(t, err)
	packed.Salts = 2
	flume, err := schema.NewLayout(schema.LayoutFlume)
	check(t, err)
	number := func(op schema.Op, field string, n int64) *schema.Filter {
		return &schema.Filter{Op: op, Field: field, Kind: schema.Int, Num: n}
	}
	text := func(op schema.Op, field, s string) *schema.Filter {
		return &schema.Filter{Op: op, Field: field, Text: s}
	}
	filters := map[string]*schema.Filter{
		"a number":       number(schema.Equal, "status", 404),
		"another number": number(schema.Less, "bytes", 1000),
		"a text":         text(schema.Equal, "method", "POST"),
		"in any case":    text(schema.EqualFold, "method", "post"),
		"not any case":   {Op: schema.Not, Args: []*schema.Filter{text(schema.EqualFold, "method", "post")}},
		"a prefix":       text(schema.Prefix, "path", "/blog"),
		"both":           {Op: schema.And, Args: []*schema.Filter{number(schema.Equal, "status", 404), text(schema.Equal, "method", "POST")}},
		"one or other":   {Op: schema.Or, Args: []*schema.Filter{number(schema.Equal, "status", 500), text(schema.Contains, "agent", "Googlebot")}},
		"not":            {Op: schema.Not, Args: []*schema.Filter{text(schema.Prefix, "path", "/blog")}},
		"null":           text(schema.IsNull, "user", ""),
		"a block":        {Op: schema.Within, Field: "client", Kind: schema.Addr, Text: "64.0.0.0/3"},
		"not a block":    {Op: schema.Not, Args: []*schema.Filter{{Op: schema.Within, Field: "client", Kind: schema.Addr, Text: "64.0.0.0/3"}}},
		"the line":       text(schema.Contains, "logbody", "Firefox"),
	}
	for _, layout := range []schema.Layout{few, packed, flume} {
		table := newTable(t, c, layout, hbase.Options{})
		check(t, table.Put(t.Context(), lines(layout, tabletest.NewLog("web01", 1), 1000)))
		var all []string
		for row, err := range table.Scan(t.Context(), schema.Scan{}) {
			check(t, err)
			line, _ := row.Cell(schema.LogbodyField)
			all = append(all, string(line))
		}
		for name, filter := range filters {
			var got []string
			for row, err := range table.Scan(t.Context(), schema.Scan{Filter: filter, Cells: []string{schema.LogbodyField}}) {
				check(t, err)
				line, _ := row.Cell(schema.LogbodyField)
				got = append(got, string(line))
			}
			if want, have := matching(t, filter, all), matching(t, filter, got); !slices.Equal(have, want) || len(want) == 0 {
				t.Errorf("%s, %s: %d lines, want %d", layout.Name, name, len(have), len(want))
			}
		}
		check(t, table.Close())
	}
}

// matching returns the lines that match a filter.
func matching(t *testing.T, filter *schema.Filter, lines []string) (wanted []string) {
	t.Helper()
	format, err := parse.Lookup("combined", nil)
	check(t, err)
	matcher, err := query.Compile(filter)
	check(t, err)
	var rec schema.Record
	for _, line := range lines {
		format.Parse([]byte(line), &rec)
		if matcher.Match(&schema.Entry{Stream: &schema.Stream{}, Record: &rec}) {
			wanted = append(wanted, line)
		}
	}
	return wanted
}

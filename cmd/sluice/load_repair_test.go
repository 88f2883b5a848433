package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/hbase"
	"sluice/hbase/hbasetest"
	"sluice/schema"
)

// A repair asks for a bulk load before it writes the first row, if the table lacks many rows or with
// --load bulk. If the table is replicated, only --load bulk asks, because peers may not get loaded
// rows. Here the server denies it, so all rows are written with Put.
func TestARepairLoadsFilesIfTheTableLacksManyRows(t *testing.T) {
	const many, few = 400, 2 // lines of 90 kB: 16 MiB of log and more for each of the two regions, or not
	for name, c := range map[string]struct {
		lines  int
		flags  []string
		scope  string // REPLICATION_SCOPE of the column family; "": it has none
		asks   int
		reason string // of writing with Put, in the log; "": none
	}{
		"many rows":                 {many, nil, "", 1, "AccessDeniedException"},
		"few rows":                  {few, nil, "", 0, ""},
		"few rows, as files":        {few, []string{"--load", "bulk"}, "", 1, "AccessDeniedException"},
		"many rows, not replicated": {many, nil, "0", 1, "AccessDeniedException"},
		"many rows, replicated":     {many, nil, "1", 0, "hbase.replication.bulkload.enabled"},
		"few rows, replicated":      {few, nil, "1", 0, ""},
		"replicated, as files":      {many, []string{"--load", "bulk"}, "1", 1, "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			log := filepath.Join(dir, "access.log")
			var text bytes.Buffer
			for i := range c.lines {
				fmt.Fprintf(&text, "192.0.2.1 - - [02/Sep/2026:10:00:00 +0000] \"GET /%d?%s HTTP/1.1\" 200 1 \"-\" \"-\"\n", i, strings.Repeat("q", 90_000))
			}
			if err := os.WriteFile(log, text.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			server := hbasetest.New(t, "127.0.0.1:0")
			server.Start()
			table := tableOfOneSalt(t, server.URL())
			if c.scope != "" {
				server.Alter("REPLICATION_SCOPE", c.scope)
			}
			asked, written := 0, false
			server.Fault(0, func(method string) string {
				switch method {
				case "Multi":
					written = true
				case "PrepareBulkLoad":
					if asked++; written {
						t.Error("rows were written before it")
					}
					return "org.apache.hadoop.hbase.security.AccessDeniedException"
				}
				return ""
			})
			var errs bytes.Buffer
			sluice := func(args ...string) string {
				var out bytes.Buffer
				errs.Reset()
				if code := run(t.Context(), append([]string{"--data", filepath.Join(dir, "data"), "-q"}, args...), strings.NewReader(""), &out, &errs); code != 0 {
					t.Fatalf("%q: status %d: %s%s", args, code, &out, &errs)
				}
				return out.String()
			}
			sluice("run", "--once", "--host", "web01", log)
			out := sluice(append([]string{"audit", "--repair", table}, c.flags...)...)
			if want := fmt.Sprintf("rows_written=%d streams_entered=1 ", c.lines); !strings.Contains(out, want) || asked != c.asks {
				t.Errorf("asked %d times for a bulk load: %s", asked, out)
			}
			if n := strings.Count(errs.String(), "bulk load"); (n > 0) != (c.reason != "") || !strings.Contains(errs.String(), c.reason) {
				t.Errorf("the log has %q, want the reason %q", &errs, c.reason)
			}
			if out := sluice("audit", table); !strings.Contains(out, "differences=0") {
				t.Error(out)
			}
		})
	}
}

func TestAnAuditThatRepairsNothingRefusesToLoad(t *testing.T) {
	var out, errs bytes.Buffer
	for _, load := range []string{loadBulk, loadPut} {
		errs.Reset()
		args := []string{"--data", t.TempDir(), "audit", "--table=hbase://127.0.0.1:1/web", "--load", load}
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != 2 || !strings.Contains(errs.String(), "without --repair") {
			t.Errorf("--load %s: status %d: %s", load, code, &errs)
		}
	}
}

// tableOfOneSalt creates a table, and returns the flag that names it.
func tableOfOneSalt(t *testing.T, url string) string {
	t.Helper()
	u, err := hbase.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	admin := hbase.OpenAdmin(u, hbase.Options{})
	_, _, err = admin.Create(t.Context(), hbase.Creation{Layout: schema.Layout{Name: schema.LayoutTyped, Family: "l", Salts: 1}})
	if err := errors.Join(err, admin.Close()); err != nil {
		t.Fatal(err)
	}
	return "--table=" + url
}

package sasl_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/hadoop/sasl"
	"sluice/hbase"
	"sluice/hbase/rpc"
	"sluice/schema"
	"sluice/table/tabletest"
	"sluice/test/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(c *cluster.Cluster) sasl.Config {
	return sasl.Config{Krb5Config: c.KRB5Config, Keytab: c.ClientKeytab, Principal: c.ClientPrincipal, Getenv: func(string) string { return "" }}
}

func kerberos(t *testing.T, c sasl.Config) rpc.Handshake {
	t.Helper()
	k, err := sasl.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return k.Handshake(rpc.Preamble(rpc.AuthKerberos))
}

// clusterID asks the first region server for its cluster's id: the smallest call that needs a
// complete handshake.
func clusterID(t *testing.T, c *cluster.Cluster, h rpc.Handshake) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	conn, err := rpc.Dial(ctx, server(t, c.RegionServers[0]), rpc.MetaService, rpc.Options{Handshake: h, Timeout: time.Minute})
	if err != nil {
		return err
	}
	_, err = conn.Call(ctx, &rpc.Request{Method: "GetClusterId"})
	return errors.Join(err, conn.Close())
}

func server(t *testing.T, address string) rpc.Server {
	t.Helper()
	host, port, _ := strings.Cut(address, ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return rpc.Server{Host: host, Port: n}
}

// Lines are written and read at each protection, with servers that accept all three. Servers that
// require one protection, or TLS, are tested with the commands.
func TestTheWholePathAtEachProtection(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Kerberos: cluster.AnyProtection})
	for _, protection := range []sasl.Protection{sasl.Authentication, sasl.Integrity, sasl.Privacy} {
		settings := client(c)
		settings.Protections = []sasl.Protection{protection}
		wholePath(t, c, kerberos(t, settings))
	}
	testSettingErrors(t, c)
	testTicketsExpire(t, c)
	testLogIns(t, c)
}

// wholePath creates a table, writes lines and reads them back, located through ZooKeeper and
// through the masters.
func wholePath(t *testing.T, c *cluster.Cluster, h rpc.Handshake) {
	t.Helper()
	layout, err := schema.NewLayout(schema.LayoutTyped)
	if err != nil {
		t.Fatal(err)
	}
	for i, base := range []string{"hbase://" + c.ZooKeeper, "hbase+rpc://" + c.Master} {
		u, err := hbase.ParseURL(fmt.Sprintf("%s/t%d_%d", base, time.Now().UnixNano(), i))
		if err != nil {
			t.Fatal(err)
		}
		o := hbase.Options{Handshake: h, Layout: &layout, Timeout: time.Minute}
		a := hbase.OpenAdmin(u, o)
		if _, made, err := a.Create(t.Context(), hbase.Creation{Layout: layout}); err != nil || !made {
			t.Fatalf("create %s: made is %v, %v", base, made, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		table, err := hbase.Open(t.Context(), u, o)
		if err != nil {
			t.Fatal(err)
		}
		fillAndRead(t, table, layout)
		if err := table.Close(); err != nil {
			t.Error(err)
		}
	}
}

// fillAndRead writes enough for several tokens in each direction, and compares every line.
func fillAndRead(t *testing.T, table *hbase.Table, layout schema.Layout) {
	t.Helper()
	const lines = 5000
	log := tabletest.NewLog("web01", 1)
	var rows schema.Rows
	e := layout.NewRowEncoder(&log.Stream, tabletest.Fields)
	want := map[string]int{}
	for range lines {
		record, offset := log.Next()
		record.Line = append([]byte(nil), record.Line...)
		want[string(record.Line)]++
		e.Append(&rows, offset, record)
	}
	if err := table.Put(t.Context(), &rows); err != nil {
		t.Fatal(err)
	}
	if err := table.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for row, err := range table.Scan(t.Context(), schema.Scan{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		for _, cell := range row.Cells {
			if cell.Qualifier == "logbody" {
				want[string(cell.Value)]--
			}
		}
	}
	for line, count := range want {
		if count != 0 {
			t.Errorf("%d too few of %q", count, line)
			break
		}
	}
	if n != lines {
		t.Errorf("%d rows, want %d", n, lines)
	}
}

func says(t *testing.T, what string, err, want error, text string) {
	t.Helper()
	if !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v; want %q and %q in it", what, err, want, text)
		return
	}
	t.Logf("%s: %v", what, err)
}

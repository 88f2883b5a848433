package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sluice/hbase/hbasetest"
	"sluice/monitor"
	"sluice/test/cluster"
)

// drillHBase is an HBase that is away until start is called.
type drillHBase struct {
	table string // its URL
	start func()
	stop  func() // nil: it cannot be stopped
}

// newDrillHBase returns an HBase for a drill: the long form has a real one, if Java is there, the
// short form one in memory.
func newDrillHBase(t *testing.T) *drillHBase {
	t.Helper()
	if _, err := exec.LookPath("java"); *longDrill && err == nil {
		return realDrillHBase(t)
	}
	s := hbasetest.New(t, freeAddress(t))
	s.Start()
	makeTable(t, s.URL())
	s.Stop()
	return &drillHBase{s.URL(), s.Start, s.Stop}
}

// realDrillHBase returns a real HBase whose ZooKeeper cannot be reached before start.
func realDrillHBase(t *testing.T) *drillHBase {
	t.Helper()
	c := cluster.Start(t, cluster.Options{})
	address, name := freeAddress(t), fmt.Sprintf("drill%d", time.Now().UnixNano())
	makeTable(t, "hbase://"+c.ZooKeeper+"/"+name)
	return &drillHBase{table: "hbase://" + address + "/" + name, start: func() {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		go forward(l, c.ZooKeeper)
		t.Cleanup(func() { _ = l.Close() }) // it ends forward
	}}
}

func makeTable(t *testing.T, url string) {
	t.Helper()
	if out, err := command(t, "schema", "apply", "--table", url, "--wait", "5m").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// forward connects each connection to a server until the listener is closed.
func forward(l net.Listener, server string) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close() //nolint:errcheck // it ends the other copy
			peer, err := net.Dial("tcp", server)
			if err != nil {
				return // the client tries again
			}
			go func() { _, _ = io.Copy(peer, client); _ = peer.Close() }() // an error is its end
			_, _ = io.Copy(client, peer)                                   // an error is its end
		}()
	}
}

// rowsArrive waits until the table of c4 has a row for each line of web17.
func (d *drill) rowsArrive() {
	d.Helper()
	log, err := os.ReadFile(d.path("web17", "access.log"))
	d.must(err)
	want := fmt.Sprintln(bytes.Count(log, []byte("\n")))
	d.await("the rows of web17", func(all map[string]*monitor.Health) bool {
		if h := all["c4"]; h == nil || h.Metrics["web17"].UntabledSeconds > 0 {
			return false
		}
		out, err := command(d.T, "scan", "--count", "--host", "web17", "--table", d.hbase.table).Output()
		return err == nil && string(out) == want
	})
	d.Logf("| rows of web17 after HBase's return | c4 | %s |", strings.TrimSpace(want))
}

package cluster

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// All servers of a started cluster accept connections, and HBase's own client works.
func TestAStartedClusterAnswers(t *testing.T) {
	c := Start(t, Options{})
	if len(c.RegionServers) != 2 {
		t.Errorf("region servers %q", c.RegionServers)
	}
	for _, address := range append(c.RegionServers, c.ZooKeeper, c.NameNode, c.Master) {
		if !answers(address) {
			t.Errorf("%s does not answer", address)
		}
	}
	out, err := c.Java(nil, "org.apache.hadoop.hbase.util.GetJavaProperty", "java.specification.version")
	if err != nil || strings.TrimSpace(out) == "" {
		t.Errorf("a class of HBase's: %q, %v", out, err)
	}
	if out, err = c.HDFS("-ls", "/"); err != nil || !strings.Contains(out, "/hbase") {
		t.Errorf("hdfs -ls /: %q, %v", out, err)
	}
	if out, err = c.Java(nil, "no.such.Class"); err == nil || !strings.Contains(err.Error(), "no.such.Class") {
		t.Errorf("a missing class: %q, %v", out, err)
	}
}

// A test may break the cluster; it is repaired before the next test.
func TestABrokenClusterIsRepairedAfterTheTest(t *testing.T) {
	var broken *Cluster
	t.Run("kill and pause", func(t *testing.T) {
		c := Start(t, Options{Exclusive: true})
		broken = c
		if err := c.Kill("datanode2"); err != nil {
			t.Fatal(err)
		}
		status, err := c.call(nil, "status")
		if err != nil || strings.Count(status, " down\n") != 1 {
			t.Errorf("status after a kill: %v\n%s", err, status)
		}
		if err := c.StartDaemon("datanode2"); err != nil {
			t.Error(err)
		}
		if err := c.Pause("regionserver2"); err != nil {
			t.Fatal(err)
		}
		if got := state(t, c, "regionserver2"); got != "T" {
			t.Errorf("a paused process is in state %s", got)
		}
		if err := c.Kill("datanode1"); err != nil {
			t.Fatal(err)
		}
		if err := c.Kill("nobody"); err == nil || !strings.Contains(err.Error(), "nobody is not running") {
			t.Errorf("kill of no daemon: %v", err)
		}
	})
	if broken == nil {
		t.Skip("left out with the test before")
	}
	c := Start(t, Options{})
	if got := state(t, c, "regionserver2"); got == "T" {
		t.Error("regionserver2 is still paused")
	}
	if status, err := c.call(nil, "status"); err != nil || strings.Contains(status, " down\n") {
		t.Errorf("status: %v\n%s", err, status)
	}
}

// Daemons stop with the last process that uses them, even if it was killed: reap waits for the
// users' lock, and then stops every daemon.
func TestReapWaitsForTheLastUser(t *testing.T) {
	need(t, "flock")
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cache := filepath.Join(dir, "sluice-tests")
	unlock, err := lock(filepath.Join(cache, "users"), unix.LOCK_SH)
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(filepath.Join(root, "test", "cluster", "cluster"), cache, Options{})
	c.environment = append(c.environment, "XDG_CACHE_HOME="+dir)
	daemon := pretend(t, c, "zookeeper")
	reaped := make(chan error, 1)
	go func() { _, err := c.call(nil, "reap"); reaped <- err }()
	select {
	case err := <-reaped:
		t.Fatalf("reap did not wait: %v", err)
	case <-daemon:
		t.Fatal("a daemon was stopped under its user")
	case <-time.After(300 * time.Millisecond):
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-reaped; err != nil {
		t.Fatal(err)
	}
	<-daemon
}

// A pid file may be older than the last boot of the machine.
func TestAForeignProcessIsNotKilled(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(filepath.Join(root, "test", "cluster", "cluster"), t.TempDir(), Options{})
	daemon := pretend(t, c, "master")
	if err := os.Rename(filepath.Join(c.home, "run", "master.pid"), filepath.Join(c.home, "run", "namenode.pid")); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill("namenode"); err == nil || !strings.Contains(err.Error(), "not running") {
		t.Errorf("kill: %v", err)
	}
	if _, err := c.call(nil, "down"); err != nil {
		t.Error(err)
	}
	select {
	case <-daemon:
		t.Error("it was killed")
	default:
	}
}

func answers(address string) bool {
	var d net.Dialer
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

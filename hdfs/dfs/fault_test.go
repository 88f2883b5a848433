package dfs

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/cluster"
)

// noise are bytes that do not compress, and take a while to send.
func noise(t *testing.T, size int) (path string, content []byte) {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	content = make([]byte, size)
	if _, err := random.Read(content); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "1.gz")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// inUpload breaks something as soon as a file is written in _tmp.
func inUpload(t *testing.T, a *Archive, path, name string, hit func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var upload sync.WaitGroup
	upload.Go(func() {
		if err := a.Store(ctx, path, name); err != nil {
			t.Error(err)
		}
	})
	for ctx.Err() == nil && leftovers(t, a) == "" {
		if err := wait(ctx, time.Millisecond); err != nil {
			break
		}
	}
	if err := hit(); err != nil {
		t.Error(err)
	}
	upload.Wait()
}

func TestAnUploadOutlivesItsServers(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Exclusive: true})
	a := openIn(t, c, newRoot(t), Options{Timeout: 3 * time.Second})
	if err := a.pool.do(t.Context(), func(c *client) error { return a.mkdirAll(c, a.tmpDir()) }); err != nil {
		t.Fatal(err)
	}
	path, content := noise(t, 200<<20)
	for name, hit := range map[string]func() error{
		"datanode-killed":    func() error { return c.Kill("datanode1") },
		"namenode-restarted": func() error { return restart(c, "namenode") },
		"datanode-paused":    func() error { return c.Pause("datanode2") },
	} {
		inUpload(t, a, path, name+"/f.gz", hit)
		if name == "datanode-killed" {
			if err := c.StartDaemon("datanode1"); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Resume("datanode2"); err != nil {
			t.Fatal(err)
		}
		if left := leftovers(t, a); left != "" {
			t.Errorf("%s: left are %s", name, left)
		}
		r, err := a.Open(t.Context(), name+"/f.gz")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes are read, %v", name, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	out, err := c.Java(nil, "org.apache.hadoop.hdfs.tools.DFSck", a.root, "-openforwrite")
	if err != nil || strings.Contains(out, "OPENFORWRITE") {
		t.Errorf("open leases: %s, %v", out, err)
	}
}

func restart(c *cluster.Cluster, name string) error {
	if err := c.Kill(name); err != nil {
		return err
	}
	return c.StartDaemon(name)
}

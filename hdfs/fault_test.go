package hdfs

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/test/cluster"
)

// noise returns bytes that do not compress, so that sending them takes some time.
func noise(t testing.TB, size int) (path string, content []byte) {
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

func TestAnUploadSurvivesFailingServers(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Exclusive: true})
	root := newRoot(t)
	// Small blocks: the name node is asked for each.
	a := openIn(t, c, root, Options{Timeout: 4 * time.Second, BlockBytes: 8 << 20})
	t.Cleanup(func() {
		if err := a.calls.again(context.WithoutCancel(t.Context()), "remove the test's files", func(c *client) error { return c.RemoveAll(root) }); err != nil {
			t.Logf("the test's files stay: %v", err)
		}
	})
	if err := a.calls.again(t.Context(), "begin", func(c *client) error { return a.temp.creator.mkdirAll(c, a.temp.dir) }); err != nil {
		t.Fatal(err)
	}
	path, content := noise(t, 160<<20)
	for _, f := range []struct {
		name   string
		hit    func(string) error
		daemon string
		mend   func(string) error
	}{
		{"a data node is killed", c.Kill, "datanode1", c.StartDaemon},
		{"the name node is killed", c.Kill, "namenode", c.StartDaemon},
		{"a data node hangs", c.Pause, "datanode2", c.Resume},
		{"the name node hangs", c.Pause, "namenode", c.Resume},
	} {
		t.Run(f.name, func(t *testing.T) {
			name := strings.ReplaceAll(f.name, " ", "-") + "/f.gz"
			stored := make(chan error, 1)
			go func() { stored <- a.Store(t.Context(), path, name) }()
			until(t, stored, "a file is begun", func() bool { return leftovers(t, a) != "" })
			if err := f.hit(f.daemon); err != nil {
				t.Error(err)
			}
			until(t, stored, "the upload has failed once", func() bool { return len(a.Retries()) > 0 })
			if err := f.mend(f.daemon); err != nil {
				t.Error(err)
			}
			if err := <-stored; err != nil {
				t.Error(err)
			}
			if left := leftovers(t, a); left != "" {
				t.Errorf("left are %s", left)
			}
			expect(t, a, name, content)
		})
	}
	out, err := c.Java(nil, "org.apache.hadoop.hdfs.tools.DFSck", string(a.root), "-openforwrite")
	if err != nil || !strings.Contains(out, "HEALTHY") || strings.Contains(out, "OPENFORWRITE") {
		t.Errorf("fsck: %s, %v", out, err)
	}
}

// until waits for a condition, which must be met before the upload ends.
func until(t *testing.T, stored chan error, what string, so func() bool) {
	t.Helper()
	for !so() {
		select {
		case err := <-stored:
			t.Fatalf("the upload ended before %s: %v", what, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func expect(t *testing.T, a *Archive, name string, content []byte) {
	t.Helper()
	r, err := a.Open(t.Context(), name)
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

package hdfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/archive"
	"sluice/archive/archivetest"
	"sluice/test/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openIn opens an archive of its own in a cluster.
func openIn(t testing.TB, c *cluster.Cluster, root string, o Options) *Archive {
	t.Helper()
	t.Setenv("HADOOP_CONF_DIR", c.ConfDir)
	where, err := Locate("")
	if err != nil {
		t.Fatal(err)
	}
	if o.Owner == "" {
		o.Owner = "c1"
	}
	a, err := Open(where, root, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func writeFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "1.gz")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newRoot(t testing.TB) string {
	return fmt.Sprintf("/dfs-test/%d-%s", os.Getpid(), strings.NewReplacer("/", "_", " ", "_").Replace(t.Name()))
}

func TestContract(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	archivetest.Run(t, backend(func(t *testing.T) *Archive { return openIn(t, c, newRoot(t), Options{}) }))
}

func backend(open func(*testing.T) *Archive) archivetest.Backend {
	return archivetest.Backend{
		Open: func(t *testing.T) archive.Archive { return open(t) },
		Leave: func(t *testing.T, a archive.Archive, name string, age time.Duration) {
			leave(t, a.(*Archive), name, age)
		},
		Left: func(t *testing.T, a archive.Archive) []string { return strings.Fields(leftovers(t, a.(*Archive))) },
	}
}

// leave creates a temporary file that was last written age ago. Every second one stays open, as if
// its writer was killed.
func leave(t *testing.T, a *Archive, name string, age time.Duration) {
	t.Helper()
	err := a.calls.pool.do(t.Context(), func(c *client) error {
		if err := a.temp.creator.mkdirAll(c, a.temp.dir); err != nil {
			return err
		}
		path := a.temp.dir + "/" + name
		w, err := c.CreateFile(path, 1, 1<<20, 0o600)
		if err == nil && len(name)%2 == 0 {
			err = w.Close()
		}
		if err != nil {
			return err
		}
		info, err := c.Stat(path)
		if err != nil {
			return err
		}
		changed := info.ModTime().Add(-age)
		return c.Chtimes(path, changed, changed)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestChecksumIsHadoops(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	a := openIn(t, c, newRoot(t), Options{BlockBytes: 1 << 20, Replication: 1})
	content := strings.Repeat("0123456789", 250_000) // 2.4 blocks, the last chunk short
	for name, text := range map[string]string{"blocks.gz": content, "short.gz": "x", "empty.gz": "", "one.gz": content[:1<<20]} {
		path := writeFile(t, text)
		if err := a.Store(t.Context(), path, name); err != nil {
			t.Fatal(err)
		}
		out, err := c.HDFS("-checksum", a.root.path(name))
		if err != nil {
			t.Fatal(err)
		}
		sum, err := localChecksum(t.Context(), strings.NewReader(text), int64(len(text)), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if fields := strings.Fields(out); len(fields) < 3 || !strings.HasSuffix(fields[len(fields)-1], fmt.Sprintf("%x", sum)) {
			t.Errorf("%s: hdfs dfs -checksum prints %q, want %x", name, out, sum)
		}
	}
}

func TestCheckLeavesNothingBehind(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	root := newRoot(t)
	a := openIn(t, c, root+"/logs", Options{})
	there := func() (there bool) {
		if err := a.calls.pool.do(t.Context(), func(c *client) error {
			there = len(missing(c, root)) == 0
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return there
	}
	a.Check(t.Context(), func(name string, do func() (string, error)) bool {
		if _, err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return true
	})
	if there() {
		t.Errorf("%s exists: the user that stores may differ from the one that checked", root)
	}
	if err := a.Store(t.Context(), writeFile(t, "x"), "day/1.gz"); err != nil {
		t.Fatal(err)
	}
	a.Check(t.Context(), func(_ string, do func() (string, error)) bool { _, err := do(); return err == nil })
	if !there() {
		t.Errorf("%s is gone, which was there before", root)
	}
}

// leftovers returns the names in _tmp.
func leftovers(t *testing.T, a *Archive) string {
	t.Helper()
	var names []string
	err := a.calls.pool.do(t.Context(), func(c *client) error {
		infos, err := c.ReadDir(a.temp.dir)
		for _, info := range infos {
			names = append(names, info.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

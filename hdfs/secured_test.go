package hdfs

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sluice/archive/archivetest"
	"sluice/hadoop/sasl"
	"sluice/test/cluster"
)

// openSecured opens a new archive with the client's keytab and a configuration that requires this
// protection.
func openSecured(t *testing.T, c *cluster.Cluster, protection string) *Archive {
	t.Helper()
	const all = "<value>authentication,integrity,privacy</value>"
	conf := t.TempDir()
	for _, name := range []string{"core-site.xml", "hdfs-site.xml"} {
		b, err := os.ReadFile(filepath.Join(c.ConfDir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b, []byte(all)) {
			t.Fatalf("%s requires no protection", name)
		}
		b = bytes.ReplaceAll(b, []byte(all), []byte("<value>"+protection+"</value>"))
		if err := os.WriteFile(filepath.Join(conf, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HADOOP_CONF_DIR", conf)
	where, err := Locate("")
	if err != nil {
		t.Fatal(err)
	}
	settings := *where.Kerberos
	settings.Krb5Config, settings.Keytab = c.KRB5Config, c.ClientKeytab
	login, err := sasl.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(where.WithKerberos(login), newRoot(t), Options{Owner: "c1", BlockBytes: 1 << 20})
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

// wiretap records the bytes of connections in both directions.
type wiretap struct {
	mu   sync.Mutex
	seen []byte
}

type tapped struct {
	net.Conn
	tap *wiretap
}

func (w *wiretap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	made, err := (&net.Dialer{}).DialContext(ctx, network, address)
	return tapped{made, w}, err
}

func (w *wiretap) keep(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, b...)
}

func (w *wiretap) saw(secret string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Contains(w.seen, []byte(secret))
}

func (c tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.tap.keep(b[:n])
	return n, err
}

func (c tapped) Write(b []byte) (int, error) {
	c.tap.keep(b)
	return c.Conn.Write(b)
}

// With each protection files are stored, compared and read back. What is sent to name nodes and data
// nodes is readable on the network, except with privacy.
func TestEachProtection(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Kerberos: cluster.AnyProtection})
	for _, protection := range []string{"authentication", "integrity", "privacy"} {
		t.Run(protection, func(t *testing.T) {
			a := openSecured(t, c, protection)
			var tap wiretap
			a.calls.pool.dialTCP = tap.dial
			leaveOpen(t, a, "c1~1-1")
			if err := a.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			const word = "words that stand in the file and in no protocol"
			content := []byte(strings.Repeat("0123456789", 250_000) + word) // 2.4 blocks, the last chunk short
			local := writeFile(t, string(content))
			for range 2 { // the second time it exists, and is compared
				if err := a.Store(t.Context(), local, "name-of-the-file/1.gz"); err != nil {
					t.Fatal(err)
				}
			}
			expect(t, a, "name-of-the-file/1.gz", content)
			if left := leftovers(t, a); left != "" {
				t.Errorf("left are %s", left)
			}
			for _, secret := range []string{word, "name-of-the-file"} {
				if seen := tap.saw(secret); seen != (protection != "privacy") {
					t.Errorf("%q is seen on the wire: %v", secret, seen)
				}
			}
		})
	}
	t.Run("the contract", func(t *testing.T) {
		archivetest.Run(t, backend(func(t *testing.T) *Archive { return openSecured(t, c, "privacy") }))
	})
}

// leaveOpen begins a temporary file, as an earlier process may have.
func leaveOpen(t *testing.T, a *Archive, name string) {
	t.Helper()
	err := a.calls.pool.do(t.Context(), func(c *client) error {
		if err := a.temp.creator.mkdirAll(c, a.temp.dir); err != nil {
			return err
		}
		_, err := c.CreateFile(a.temp.dir+"/"+name, 1, 1<<20, 0o600)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

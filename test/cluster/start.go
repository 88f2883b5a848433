package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Options are the requirements of a test. The zero value is the plain cluster, shared with other
// tests.
type Options struct {
	// Exclusive is for a test that disturbs others because it kills or pauses daemons, or that
	// inspects shared state. It runs alone on the cluster, which is repaired when it ends.
	Exclusive bool
	// Own is for a test that takes minutes: a plain cluster that no other test uses, so that no
	// other test has to wait.
	Own bool
	// Phoenix is for tests of Phoenix: a plain cluster of its own that has it in the class path of
	// all servers and of Java. Maven downloads its jars.
	Phoenix bool
	// HBase is a version of HBase, if it is not the usual one. The cluster is one of its own.
	HBase string
	// Kerberos is the only quality of protection that servers accept, "authentication", "integrity"
	// or "privacy", or AnyProtection if they accept all. "" is no Kerberos.
	Kerberos string
	// TLS is "" for none, "server", or "mutual" if clients need a certificate, too.
	TLS string
}

// AnyProtection is for tests of all three with one cluster. Data nodes then encrypt with AES,
// otherwise with RC4.
const AnyProtection = "any"

// offset is added to every port, so that shared, secured and manually started clusters use
// different ports. All are below the kernel's range of client ports.
const (
	plainOffset   = 10_000
	guardedOffset = 15_000
	ownOffset     = 4_000
	phoenixOffset = 7_000
	versionOffset = 8_000
)

func (o Options) guarded() bool { return o.Kerberos != "" || o.TLS != "" }

// environment returns the environment variables of the script.
func (o Options) environment() []string {
	secure, qop, aes, tls, several := "0", "authentication", "0", "0", "0"
	switch o.Kerberos {
	case "":
	case AnyProtection:
		secure, aes, several = "1", "1", "1"
	default:
		secure, qop = "1", o.Kerberos
	}
	switch o.TLS {
	case "server":
		tls = "1"
	case "mutual":
		tls = "mutual"
	}
	return []string{"CLUSTER_SECURE=" + secure, "CLUSTER_QOP=" + qop, "CLUSTER_AES=" + aes, "CLUSTER_TLS=" + tls, "CLUSTER_ANY=" + several}
}

// Start returns a running cluster, which takes half a minute, and longer if the jars have to be
// downloaded; with -short it skips the test. A test must not call it twice: the second call would
// wait for the first cluster.
//
// Tables remain until the cluster stops, so each test must use its own table names.
func Start(t testing.TB, options Options) *Cluster {
	t.Helper()
	c := stopped(t, options)
	if options.Kerberos != "" {
		need(t, "krb5kdc", "kadmin.local", "keytool", "openssl")
	}
	if err := c.acquire(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.release(); err != nil {
			t.Error(err)
		}
	})
	if err := c.up(false); err != nil {
		t.Logf("the cluster is removed and created again: %v", err)
		if err := c.up(true); err != nil {
			t.Fatal(err)
		}
	}
	if options.Own { // a soak test restarts its daemons itself
		return c
	}
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan error, 1)
	go func() { watched <- c.keepUp(ctx) }()
	t.Cleanup(func() {
		cancel()
		notStarted := <-watched
		if t.Failed() {
			dead, err := c.Dead()
			t.Logf("daemons that are not running: %q (error: %v); last error of a restart: %v", dead, err, notStarted)
		}
	})
	return c
}

// Jars returns a cluster of which no daemon was started, for Java programs that need only the
// classes of HBase and Hadoop. No method but Java may be called.
func Jars(t testing.TB) *Cluster {
	t.Helper()
	c := stopped(t, Options{})
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(c.home+".up", unix.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.call(nil, "jars")
	if err := errors.Join(err, unlock()); err != nil {
		t.Fatal(err)
	}
	return c
}

// stopped returns a cluster that is not started yet. The test is skipped if -short is given or a
// program is missing.
func stopped(t testing.TB, options Options) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it needs Java, most also a real cluster")
	}
	need(t, "java", "mvn", "flock", "curl")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return newCluster(filepath.Join(root, "test", "cluster", "cluster"), filepath.Join(cache, "sluice-tests"), options)
}

// watchInterval is the interval at which a shared cluster is checked.
const watchInterval = 10 * time.Second

// keepUp restarts daemons that exited, like an init system, except those that the test killed. A
// server that lost its disk, name node or ZooKeeper session, in this test or an earlier one, may
// exit, and the test would wait for it forever. It returns the last error of a restart; a restart
// can fail while the test keeps away what the daemon needs.
func (c *Cluster) keepUp(ctx context.Context) (last error) {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if dead, err := c.Dead(); err != nil || len(dead) == 0 {
				continue // the next check tries again
			}
			if err := c.startDead(); err != nil {
				last = err
			}
		case <-ctx.Done():
			return last
		}
	}
}

// startDead starts daemons that are not running and were not killed by the test, unless another
// process has done so meanwhile.
func (c *Cluster) startDead() (err error) {
	unlock, err := lock(c.home+".up", unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	dead, err := c.Dead()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range dead {
		if !c.isKilled(name) {
			errs = append(errs, c.StartDaemon(name))
		}
	}
	return errors.Join(errs...)
}

func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if _, err := exec.LookPath("/usr/sbin/" + name); err == nil { // Debian's KDC, which is not on the PATH of a user
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed in CI, for tests with a real HBase", name)
		}
		t.Skipf("left out: no %s, which tests with a real HBase need", name)
	}
}

// moduleRoot returns the nearest parent directory with a go.mod, because tests run in the directory
// of their package.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return "", fmt.Errorf("find the cluster's script: no go.mod above the working directory: %w", err)
		}
		dir = parent
	}
}

func newCluster(script, dir string, options Options) *Cluster {
	name, offset := "plain", plainOffset
	if options.guarded() {
		name, offset = "guarded", guardedOffset
	}
	if options.Own {
		name, offset = "own", ownOffset
	}
	lib, phoenix := "lib", ""
	if options.Phoenix {
		name, offset, lib, phoenix = "phoenix", phoenixOffset, "phoenix-lib", "1"
	}
	if options.HBase != "" {
		name, offset, lib = "hbase-"+options.HBase, versionOffset, "lib-"+options.HBase
	}
	// Use only the first JIT compiler: short-lived servers need 40 % less CPU to start. Soak tests
	// run longer, and use both.
	tier := 1
	if options.Own {
		tier = 4
	}
	home := filepath.Join(dir, name)
	return &Cluster{
		script: script, home: home, dir: dir, lib: filepath.Join(dir, lib), options: options, paused: map[string]bool{}, killed: map[string]bool{},
		environment: append(os.Environ(), "CLUSTER_HOME="+home, "CLUSTER_LIB="+filepath.Join(dir, lib), "CLUSTER_PHOENIX="+phoenix, "CLUSTER_HBASE="+options.HBase,
			"CLUSTER_TIER="+strconv.Itoa(tier), "CLUSTER_OFFSET="+strconv.Itoa(offset), "CLUSTER_DATANODES=2", "CLUSTER_REGIONSERVERS=2"),
	}
}

// acquire waits until the cluster can be used. There are three locks: the users' lock, which is
// held until the process ends and for which reap waits; the lock of the running test; and, in up,
// one so that only one process starts daemons.
func (c *Cluster) acquire() error {
	if _, err := lock(filepath.Join(c.dir, "users"), unix.LOCK_SH); err != nil {
		return err
	}
	how := unix.LOCK_SH
	if c.options.Exclusive || c.options.Own || c.options.guarded() { // a secured cluster may have other settings for each test
		how = unix.LOCK_EX
	}
	unlock, err := lock(c.home+".turn", how)
	c.unlock = unlock
	return err
}

// up starts the daemons that are not running. A cluster with missing daemons, or any if anew is
// given, is removed and created again, because starting a stopped one takes a minute longer than an
// empty one.
func (c *Cluster) up(anew bool) (err error) {
	unlock, err := lock(c.home+".up", unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if anew || !c.runs() {
		if err := c.reap(); err != nil {
			return err
		}
		if _, err := c.call(nil, "wipe"); err != nil {
			return err
		}
	}
	if _, err := c.call(c.options.environment(), "up"); err != nil {
		return err
	}
	return c.readAddresses()
}

// runs reports whether all daemons accept connections, with the requested settings.
func (c *Cluster) runs() bool {
	out, err := c.call(nil, "status")
	if err != nil || strings.Contains(out, " down\n") {
		return false
	}
	mode, err := os.ReadFile(filepath.Join(c.home, "data", "mode"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	var want []string
	if c.options.guarded() {
		for _, setting := range c.options.environment() {
			_, value, _ := strings.Cut(setting, "=")
			want = append(want, value)
		}
	}
	return strings.Join(strings.Fields(string(mode)), " ") == strings.Join(want, " ")
}

// reap starts the process that stops the cluster after its last user has ended. It has its own
// session, so that neither an interrupt from the terminal nor the test runner ends it.
func (c *Cluster) reap() error {
	cmd := exec.Command(c.script, "reap")
	cmd.Env, cmd.Dir, cmd.SysProcAttr = c.environment, "/", &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start what stops the cluster: %w", err)
	}
	return cmd.Process.Release()
}

// release ends the turn of the test. After an exclusive test, daemons that are not running are
// started. If that fails (without data nodes a master exits), the cluster is removed, and the next
// test gets a new one.
func (c *Cluster) release() error {
	var errs []error
	for name := range c.paused {
		errs = append(errs, c.Resume(name))
	}
	if c.options.Exclusive || c.options.Own {
		if _, err := c.call(nil, "up"); err != nil {
			_, err = c.call(nil, "wipe")
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, c.unlock())...)
}

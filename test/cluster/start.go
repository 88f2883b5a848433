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

// Options says which cluster a test needs. The zero value is the plain one,
// shared with other tests.
type Options struct {
	// Exclusive is for a test that disturbs others: that kills or pauses
	// daemons, or looks at what is common to all. It waits for the others, and
	// they wait for it; what it broke is mended when it ends.
	Exclusive bool
	// Own is for a test that takes minutes: a plain cluster that no other test
	// uses, so that none waits for it.
	Own bool
	// Kerberos is the one quality of protection that every server accepts,
	// "authentication", "integrity" or "privacy", or AnyProtection, where servers
	// leave the choice to their clients. "" is no Kerberos.
	Kerberos string
	// TLS is "" for none, "server", or "mutual" where a client needs a
	// certificate too.
	TLS string
}

// AnyProtection is for tests of all three in one start. Data nodes seal with AES then,
// and with RC4 elsewhere.
const AnyProtection = "any"

// offset is added to every port. Both keep servers' ports below those that the
// kernel gives to clients, and away from a cluster that was started by hand.
const (
	plainOffset   = 10_000
	guardedOffset = 15_000
	ownOffset     = 4_000
)

func (o Options) guarded() bool { return o.Kerberos != "" || o.TLS != "" }

// environment is what the script reads.
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

// Start gives the test a cluster that runs and answers, which may take half a
// minute, and more where the jars are yet to be fetched; -short leaves the test out. A test that has one must
// not ask for another: it would wait for itself.
//
// Tables stay until the cluster stops: take names of your own.
func Start(t testing.TB, options Options) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it starts a real cluster")
	}
	need(t, "java", "mvn", "flock", "curl")
	if options.Kerberos != "" {
		need(t, "krb5kdc", "kadmin.local", "keytool", "openssl")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(filepath.Join(root, "test", "cluster", "cluster"), filepath.Join(cache, "sluice-tests"), options)
	if err := c.acquire(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.release(); err != nil {
			t.Error(err)
		}
	})
	if err := c.up(); err != nil {
		t.Fatal(err)
	}
	if !options.Exclusive && !options.Own { // those break it themselves
		ctx, cancel := context.WithCancel(context.Background())
		watched := make(chan error, 1)
		go func() { watched <- c.keepUp(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-watched; err != nil {
				t.Errorf("start what gave up: %v", err)
			}
		})
	}
	return c
}

// watchInterval is how often a shared cluster is looked at.
const watchInterval = 10 * time.Second

// keepUp starts daemons that gave up by themselves, as an init system would: a
// server from which the test before took disk or name node may end when that test
// is long over, and this one would wait for it for ever.
func (c *Cluster) keepUp(ctx context.Context) error {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if dead, err := c.Dead(); err != nil || len(dead) == 0 {
				continue // it is asked again
			}
			if err := c.startDead(); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// startDead starts what does not run, unless somebody else has done so meanwhile.
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
	for _, name := range dead {
		if err := c.StartDaemon(name); err != nil {
			return err
		}
	}
	return nil
}

func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if _, err := exec.LookPath("/usr/sbin/" + name); err == nil { // Debian's KDC; not on a user's path
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed in CI, for tests with a real HBase", name)
		}
		t.Skipf("left out: no %s, which tests with a real HBase need", name)
	}
}

// moduleRoot is the nearest folder above that has a go.mod: tests run in the
// folder of their package.
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

func newCluster(script, folder string, options Options) *Cluster {
	name, offset := "plain", plainOffset
	if options.guarded() {
		name, offset = "guarded", guardedOffset
	}
	if options.Own {
		name, offset = "own", ownOffset
	}
	// The first compiler alone: servers that live for a test take 40 % less CPU to start.
	// A soak measures for longer.
	tier := 1
	if options.Own {
		tier = 4
	}
	home := filepath.Join(folder, name)
	return &Cluster{
		script: script, home: home, folder: folder, options: options, paused: map[string]bool{},
		environment: append(os.Environ(), "CLUSTER_HOME="+home, "CLUSTER_LIB="+filepath.Join(folder, "lib"),
			"CLUSTER_TIER="+strconv.Itoa(tier), "CLUSTER_OFFSET="+strconv.Itoa(offset), "CLUSTER_DATANODES=2", "CLUSTER_REGIONSERVERS=2"),
	}
}

// acquire waits until the cluster may be used. Three locks: that somebody is
// there, for which reap waits and which only the end of the process gives back;
// whose turn it is, for the length of a test; and, in up, that one process at a
// time starts daemons.
func (c *Cluster) acquire() error {
	if _, err := lock(filepath.Join(c.folder, "users"), unix.LOCK_SH); err != nil {
		return err
	}
	how := unix.LOCK_SH
	if c.options.Exclusive || c.options.Own || c.options.guarded() { // the guarded one changes its ways from test to test
		how = unix.LOCK_EX
	}
	unlock, err := lock(c.home+".turn", how)
	c.unlock = unlock
	return err
}

// up starts what does not run. A cluster that is not whole is made anew: one
// that was stopped takes a minute longer to come up than an empty one.
func (c *Cluster) up() (err error) {
	unlock, err := lock(c.home+".up", unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if !c.runs() {
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

// runs reports whether every daemon answers, in the mode that is asked for.
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

// reap starts the process that stops the cluster when nobody is left who could.
// It is a session of its own, so that neither a terminal's interrupt nor the
// runner of the tests ends it.
func (c *Cluster) reap() error {
	cmd := exec.Command(c.script, "reap")
	cmd.Env, cmd.Dir, cmd.SysProcAttr = c.environment, "/", &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start what stops the cluster: %w", err)
	}
	return cmd.Process.Release()
}

// release ends the test's turn. What an exclusive one stopped is started again; a
// cluster that was hit too hard for that (without data nodes a master gives up)
// is thrown away, and the next test gets a new one.
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

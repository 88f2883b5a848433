package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Cluster is a running cluster. It is safe for concurrent use, except that two calls must not
// change the same daemon at the same time.
type Cluster struct {
	// Addresses as host:port.
	ZooKeeper, NameNode, Master string
	RegionServers               []string
	// ConfDir has core-site.xml, hdfs-site.xml and hbase-site.xml.
	ConfDir string

	// With Kerberos: the client's krb5.conf, principal and keytab, and the servers' principals with
	// their host, without realm.
	KRB5Config, ClientPrincipal, ClientKeytab string
	HBasePrincipal, HDFSPrincipal             string
	// With TLS: PEM files with the certificate of the authority, and with the client's key and
	// certificate.
	TLSAuthority, TLSClient string

	script, home, dir, lib string
	environment            []string
	options                Options
	unlock                 func() error

	mu     sync.Mutex
	paused map[string]bool
	killed map[string]bool // by the test, and not started again
}

// The names of daemons: zookeeper, namenode, datanode1, datanode2, master, regionserver1,
// regionserver2 and, with Kerberos, kdc. regionserverN listens on RegionServers[N-1].

// Kill kills a daemon with SIGKILL, to simulate a crash. It stays away until StartDaemon.
func (c *Cluster) Kill(name string) error {
	c.mark(c.killed, name, true) // before it is dead, so that keepUp does not start it
	c.mark(c.paused, name, false)
	_, err := c.call(nil, "kill", name)
	return err
}

// Pause stops a daemon with SIGSTOP: connections stay open, and the kernel still accepts new ones.
func (c *Cluster) Pause(name string) error {
	c.mark(c.paused, name, true)
	_, err := c.call(nil, "pause", name)
	return err
}

// Resume continues a paused daemon.
func (c *Cluster) Resume(name string) error {
	c.mark(c.paused, name, false)
	_, err := c.call(nil, "resume", name)
	return err
}

// StartDaemon starts a daemon that was killed, and returns when its port accepts connections; HBase
// may need more time to use it.
func (c *Cluster) StartDaemon(name string) error {
	_, err := c.call(nil, "start", name)
	if err == nil {
		c.mark(c.killed, name, false)
	}
	return err
}

// Dead returns the daemons that are not running, because they were killed or exited.
func (c *Cluster) Dead() ([]string, error) {
	out, err := c.call(nil, "dead")
	return strings.Fields(out), err
}

// AwaitHBase waits until the master is initialised and has both region servers. All daemons must be
// running.
func (c *Cluster) AwaitHBase() error {
	_, err := c.call(nil, "up")
	return err
}

// Java runs a class on the cluster's class path, which has the clients of HBase and Hadoop, and
// returns its standard output; the error has its standard error. env has variables as "NAME=value";
// CLUSTER_CP is added to the class path. In a secured cluster the class is logged in as the client,
// or as CLUSTER_USER (hdfs, hbase, none).
func (c *Cluster) Java(env []string, class string, args ...string) (string, error) {
	return c.call(env, append([]string{"java", class}, args...)...)
}

// HDFS runs a command of Hadoop's file system shell, like Java.
func (c *Cluster) HDFS(args ...string) (string, error) {
	return c.call(nil, append([]string{"hdfs"}, args...)...)
}

// Home returns the directory with the daemons' logs (log/NAME.log) and, with Kerberos, the realm
// (kdc) and all keytabs.
func (c *Cluster) Home() string { return c.home }

// Jars returns the directory of the jars of servers and clients.
func (c *Cluster) Jars() string { return c.lib }

func (c *Cluster) mark(daemons map[string]bool, name string, marked bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if marked {
		daemons[name] = true
	} else {
		delete(daemons, name)
	}
}

func (c *Cluster) isKilled(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.killed[name]
}

// maxCallDuration limits one call of the script. The longest is the first start on a slow network,
// which downloads the jars.
const maxCallDuration = 15 * time.Minute

// call runs the script and returns its standard output.
func (c *Cluster) call(env []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), maxCallDuration)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.script, args...)
	// A daemon that inherited the output pipe would keep Run waiting after the script has ended.
	cmd.WaitDelay = time.Minute
	cmd.Env = append(c.environment[:len(c.environment):len(c.environment)], env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("cluster %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

// readAddresses parses the output of `cluster env`: NAME=value.
func (c *Cluster) readAddresses() error {
	out, err := c.call(nil, "env")
	if err != nil {
		return err
	}
	value := map[string]string{}
	for _, word := range strings.Fields(out) {
		name, v, _ := strings.Cut(word, "=")
		value[name] = v
	}
	c.ZooKeeper, c.NameNode, c.Master, c.ConfDir = value["ZOOKEEPER"], value["NAMENODE"], value["MASTER"], value["HBASE_CONF_DIR"]
	c.RegionServers = strings.Split(value["REGIONSERVERS"], ",")
	c.KRB5Config, c.ClientPrincipal, c.ClientKeytab = value["KRB5_CONFIG"], value["CLIENT_PRINCIPAL"], value["CLIENT_KEYTAB"]
	c.HBasePrincipal, c.HDFSPrincipal = value["HBASE_PRINCIPAL"], value["HDFS_PRINCIPAL"]
	c.TLSAuthority, c.TLSClient = value["TLS_CA"], value["TLS_CLIENT"]
	for _, address := range append(c.RegionServers, c.ZooKeeper, c.NameNode, c.Master) {
		if !strings.Contains(address, ":") {
			return fmt.Errorf("cluster env: no address: %s", out)
		}
	}
	return nil
}

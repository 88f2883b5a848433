package peers

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed hbase/peer/*.java
var hbasePeer embed.FS

// HBaseMain is the main class of the benchmark with HBase's Java client; see its comment. Run it
// with `cluster java` and the directory of CompileHBase in CLUSTER_CP.
const HBaseMain = "peer.Main"

// HBaseCluster is a running cluster of the script test/cluster/cluster. The environment variables
// of the script select it.
type HBaseCluster struct {
	// Script is the path of the script.
	Script string
}

func (c HBaseCluster) call(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, c.Script, args...).Output()
	if err == nil {
		return string(out), nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: --cluster names the script that started the cluster", err)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return "", fmt.Errorf("%s %s: %w", c.Script, strings.Join(args, " "), err)
}

// ZooKeeper returns host:port of the running cluster.
func (c HBaseCluster) ZooKeeper(ctx context.Context) (string, error) {
	env, err := c.Environment(ctx)
	return env["ZOOKEEPER"], err
}

// Environment returns the addresses and configuration of the running cluster: ZOOKEEPER, NAMENODE,
// HBASE_CONF_DIR and others.
func (c HBaseCluster) Environment(ctx context.Context) (map[string]string, error) {
	status, err := c.call(ctx, "status")
	if err != nil {
		return nil, err
	}
	if strings.Contains(status, " down\n") {
		return nil, fmt.Errorf("%s: not every daemon is up: start them with `%s up`", c.Script, c.Script)
	}
	text, err := c.call(ctx, "env")
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for _, word := range strings.Fields(text) {
		name, value, _ := strings.Cut(word, "=")
		env[name] = value
	}
	for _, name := range []string{"ZOOKEEPER", "NAMENODE", "HBASE_CONF_DIR"} {
		if env[name] == "" {
			return nil, fmt.Errorf("%s env: no %s", c.Script, name)
		}
	}
	return env, nil
}

// RegionServers returns the process ids of the region servers.
func (c HBaseCluster) RegionServers(ctx context.Context) (pids []int, err error) {
	return c.daemons(ctx, "regionserver")
}

// DataNodes returns the process ids of the data nodes.
func (c HBaseCluster) DataNodes(ctx context.Context) (pids []int, err error) {
	return c.daemons(ctx, "datanode")
}

// daemons returns the process ids of the daemons whose names begin with kind.
func (c HBaseCluster) daemons(ctx context.Context, kind string) (pids []int, err error) {
	status, err := c.call(ctx, "status")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(status) { // regionserver1  pid 26499  port 16020  up
		words := strings.Fields(line)
		if len(words) < 3 || !strings.HasPrefix(words[0], kind) {
			continue
		}
		pid, err := strconv.Atoi(words[2])
		if err != nil {
			return nil, fmt.Errorf("%s status: %w", c.Script, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// CPUOf returns the sum of the CPU times of processes.
func CPUOf(pids []int) (sum time.Duration, err error) {
	for _, pid := range pids {
		used, err := CPU(pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// TableBytes returns the size of a table's files in HDFS, for one replica.
func (c HBaseCluster) TableBytes(ctx context.Context, table string) (int64, error) {
	namespace, name, ok := strings.Cut(table, ":")
	if !ok {
		namespace, name = "default", table
	}
	out, err := c.call(ctx, "hdfs", "-du", "-s", path.Join("/hbase/data", namespace, name))
	if err != nil {
		return 0, err
	}
	size, _, _ := strings.Cut(out, " ")
	return strconv.ParseInt(size, 10, 64)
}

// Remove removes a directory of HDFS and its content.
func (c HBaseCluster) Remove(ctx context.Context, dir string) error {
	_, err := c.call(ctx, "hdfs", "-rm", "-r", "-f", "-skipTrash", dir)
	return err
}

// CompileHBase compiles HBaseMain into a directory, with the cluster's jars.
func (c HBaseCluster) CompileHBase(ctx context.Context, dir string) error {
	args := []string{"java", "com.sun.tools.javac.Main", "-nowarn", "-Xlint:none", "-d", dir}
	sources, err := WriteHBaseSources(dir)
	if err != nil {
		return err
	}
	if _, err := c.call(ctx, append(args, sources...)...); err != nil {
		return fmt.Errorf("%w: a JDK of 17 or later is needed", err)
	}
	return nil
}

// WriteHBaseSources writes the Java sources of HBaseMain to a directory.
func WriteHBaseSources(dir string) (paths []string, err error) {
	entries, err := hbasePeer.ReadDir("hbase/peer")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := hbasePeer.ReadFile(path.Join("hbase/peer", e.Name()))
		if err != nil {
			return nil, err
		}
		to := filepath.Join(dir, e.Name())
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return nil, err
		}
		paths = append(paths, to)
	}
	return paths, nil
}

// HBaseJava returns a command that runs HBaseMain from the directory classes.
func (c HBaseCluster) HBaseJava(ctx context.Context, classes string) *exec.Cmd {
	// The script's java options are for short work; the last value of an option wins.
	cmd := exec.CommandContext(ctx, c.Script, "java", "-XX:TieredStopAtLevel=4", "-XX:+UseParallelGC", "-Xmx1g", HBaseMain)
	cmd.Env = append(os.Environ(), "CLUSTER_CP="+classes)
	return cmd
}

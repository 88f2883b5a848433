package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// pretend starts a process that looks like a daemon of the cluster. The channel is closed when it
// has ended.
func pretend(t *testing.T, c *Cluster, name string) <-chan struct{} {
	t.Helper()
	// sh ignores the arguments after its script; the cluster's script finds processes by them.
	cmd := exec.Command("sh", "-c", "read forever", "sh", "-Dproc=sluice-"+name)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	t.Cleanup(func() {
		stdin.Close()
		<-ended
	})
	if err := os.MkdirAll(filepath.Join(c.home, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.home, "run", name+".pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	return ended
}

// state returns the state of a daemon from /proc: S is sleeping, T is stopped.
func state(t *testing.T, c *Cluster, name string) string {
	t.Helper()
	pid, err := os.ReadFile(filepath.Join(c.home, "run", name+".pid"))
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "State:")
	return strings.Fields(line)[0]
}

func TestTheScriptIsClean(t *testing.T) {
	need(t, "shellcheck")
	if out, err := exec.Command("shellcheck", "cluster").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

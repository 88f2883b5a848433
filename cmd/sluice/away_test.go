package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/monitor"
)

// readOnlyDisk returns a directory with its own file system, which is read-only until writable is
// called.
func readOnlyDisk(t *testing.T) (dir string, writable func()) {
	t.Helper()
	dir, _, _ = smallDisk(t, 4<<20)
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	return dir, func() { remount(0) }
}

// away is a sink that is unavailable when its collector starts.
type away struct {
	args   []string // arguments of the collector
	sink   string   // the sink that /health must report
	cause  string
	repair func() // nil: the sink stays unavailable
}

// aways returns unavailable archives and tables, in HDFS and on local disks, by name.
func aways(t *testing.T) map[string]away {
	archive, archiveBack := readOnlyDisk(t)
	table, tableBack := readOnlyDisk(t)
	dir := t.TempDir()
	target, link := filepath.Join(dir, "nas"), filepath.Join(dir, "archive")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	dead := freeAddress(t)
	return map[string]away{
		"archive in HDFS":   {[]string{"--archive", "hdfs://" + dead + "/logs"}, monitor.Archive, "connection refused", nil},
		"table in HDFS":     {[]string{"--table", "parquet:hdfs://" + dead + "/table"}, monitor.Table, "connection refused", nil},
		"read-only archive": {[]string{"--archive", "dir:" + archive + "/logs"}, monitor.Archive, "read-only file system", archiveBack},
		"read-only table":   {[]string{"--table", "parquet:" + table + "/t"}, monitor.Table, "read-only file system", tableBack},
		"archive is not mounted": {[]string{"--archive", "dir:" + link}, monitor.Archive, "not mounted", func() {
			if err := os.Mkdir(target, 0o750); err != nil {
				t.Fatal(err)
			}
		}},
	}
}

// TestACollectorReceivesLinesThoughASinkIsUnavailableAtItsStart checks that /health reports the
// sink and the cause, and that all lines are stored when the sink is available again.
func TestACollectorReceivesLinesThoughASinkIsUnavailableAtItsStart(t *testing.T) {
	t.Parallel()
	for name, x := range aways(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			log := filepath.Join(dir, "access.log")
			appendTo(t, log, logLine(0))
			listen, status := freeAddress(t), freeAddress(t)
			collector := start(t, append(append(collectorArgs(filepath.Join(dir, "data"), listen), "--status-listen", status), x.args...)...)
			agent := start(t, agentArgs(filepath.Join(dir, "agent"), "web01", listen, log)...)
			size := int64(len(logLine(0)))
			collector.await(t, func() bool {
				h := askHealth(t, status)
				if h == nil || h.Metrics["web01"].ReceivedBytes != size {
					return false
				}
				sink := h.Process.Sinks[x.sink]
				return sink.FailingSeconds > 0 && sink.Attempts > 0 && strings.Contains(sink.Error, x.cause)
			})
			if x.repair != nil {
				x.repair()
				collector.await(t, func() bool {
					h := askHealth(t, status)
					return h != nil && h.Metrics["web01"].StoredBytes == size && h.Process.Sinks[x.sink].Error == ""
				})
			}
			for _, p := range []*follower{agent, collector} {
				if p == collector && x.repair == nil {
					if err := p.Process.Kill(); err != nil { // SIGTERM would wait for --drain
						t.Error(err)
					}
					continue
				}
				if err := p.end(t); err != nil {
					t.Errorf("%v\n%s", err, p.output(t))
				}
			}
		})
	}
}

// TestAReadOnlyDataDirectoryIsNamedAndTriedAgain checks that each long-running command reports a
// read-only data directory and retries.
func TestAReadOnlyDataDirectoryIsNamedAndTriedAgain(t *testing.T) {
	t.Parallel()
	dir, writable := readOnlyDisk(t)
	status := freeAddress(t)
	for name, args := range daemons(t, dir) {
		c := start(t, append(args, "--status-listen", status)...)
		c.await(t, func() bool {
			h := askHealth(t, status)
			return h != nil && h.Process.Sinks["start"].FailingSeconds > 0 && strings.Contains(h.Process.Sinks["start"].Error, "read-only file system")
		})
		if err := c.end(t); err != nil {
			t.Errorf("%s: %v\n%s", name, err, c.output(t))
		}
	}
	c := start(t, append(collectorArgs(filepath.Join(dir, "data"), freeAddress(t)), "--status-listen", status)...)
	c.await(t, func() bool { h := askHealth(t, status); return h != nil && h.Process.Sinks["start"].Attempts > 1 })
	writable()
	c.await(t, func() bool {
		h := askHealth(t, status)
		if h == nil {
			return false
		}
		_, waits := h.Process.Sinks["start"]
		return !waits // the status may be ERROR because the disk is small
	})
	if err := c.end(t); err != nil {
		t.Errorf("%v\n%s", err, c.output(t))
	}
}

// TestADirectoryWithoutPermissionEndsTheStartWithAHint checks that missing permissions, which are a
// permanent error, are not retried.
func TestADirectoryWithoutPermissionEndsTheStartWithAHint(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("left out: it starts processes of another user, which needs root")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("/tmp", "sluice") // other users cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // the test's own
	roots, own := filepath.Join(dir, "root"), filepath.Join(dir, "own")
	for _, d := range []string{roots, own} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(own, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("sluice")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "sluice")
	binary, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(program, binary, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"data":    {"--data", roots},
		"new":     {"--data", filepath.Join(roots, "data")},
		"archive": {"--data", own, "--archive", "dir:" + filepath.Join(roots, "logs")},
		"table":   {"--data", own, "--table", "parquet:" + filepath.Join(roots, "table")},
		"spool":   {"--data", own, "--spool", filepath.Join(roots, "spool")},
	} {
		cmd := command(t, append([]string{"collector", "--listen", "127.0.0.1:0"}, args...)...)
		cmd.Path = program
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 2 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if want := "permission denied\nhint: " + roots + " belongs to root, mode 0755; sluice runs as nobody"; !strings.Contains(string(out), want) {
			t.Errorf("%s lacks %q:\n%s", name, want, out)
		}
	}
}

// TestAMountPointOfFstabThatIsNotMountedIsFound checks missingMount with paths below mounted,
// unmounted, commented and absent mount points.
func TestAMountPointOfFstabThatIsNotMountedIsFound(t *testing.T) {
	t.Parallel()
	const fstab = "# nas:/x /commented nfs defaults 0 0\nUUID=1 / ext4 defaults 0 1\nUUID=2 none swap sw 0 0\n\nnas:/logs /mnt/nas nfs nofail 0 0\nUUID=3 /srv/big\\040disk/ xfs noauto 0 2\nUUID=4 /data ext4 defaults 0 2\n"
	const mountinfo = "24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n30 24 8:2 / /data rw - ext4 /dev/sda2 rw\n"
	for dir, want := range map[string]string{
		"/mnt/nas":           "/mnt/nas",
		"/mnt/nas/logs":      "/mnt/nas",
		"/mnt/nas2/logs":     "",
		"/srv/big disk/logs": "/srv/big disk",
		"/data/sluice":       "",
		"/var/lib/sluice":    "",
		"/commented":         "",
		"/mnt":               "",
	} {
		if got := missingMount(dir, fstab, mountinfo); got != want {
			t.Errorf("%s: %q, want %q", dir, got, want)
		}
	}
	if got := missingMount("/mnt/nas/logs", fstab, mountinfo+fmt.Sprintln("31 24 0:50 / /mnt/nas rw - nfs4 nas:/logs rw")); got != "" {
		t.Errorf("mounted, but %q is reported missing", got)
	}
}

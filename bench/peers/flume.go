package peers

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed flume/pom.xml
var flumePOM []byte

//go:embed flume/agent.conf
var flumeAgent string

// flumeOpens opens packages that Flume, Hadoop and HBase access by reflection, which Java 17 and
// later forbid.
var flumeOpens = []string{
	"--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED",
	"--add-opens=java.base/sun.nio.ch=ALL-UNNAMED", "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED",
}

// ErrMissing is returned if Java or Maven is not installed.
var ErrMissing = errors.New("java and mvn are needed")

// Flume is a running process of Flume 1.11.
type Flume struct {
	cmd     *exec.Cmd
	log     string // standard output and error
	metrics string
	ended   chan error
}

const (
	flumeStarts  = 5 * time.Minute
	flumeStops   = time.Minute
	flumePoll    = 100 * time.Millisecond
	maxMetrics   = 1 << 20
	ticksASecond = 100 // USER_HZ, which is 100 on all platforms of Go on Linux
)

// Jars downloads the jars for StartFlume with Maven, once, to a directory below cache, and returns
// that directory. It returns ErrMissing without Java or Maven.
func Jars(ctx context.Context, cache string) (string, error) {
	return resolve(ctx, cache, flumePOM)
}

func resolve(ctx context.Context, cache string, project []byte) (string, error) {
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("%w: %w", ErrMissing, err)
		}
	}
	dir := filepath.Join(cache, fmt.Sprintf("flume-%08x", crc32.ChecksumIEEE(project)))
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return filepath.Join(dir, "lib"), nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	pom := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(pom, project, 0o644); err != nil {
		return "", err
	}
	lib := filepath.Join(dir, "lib")
	out, err := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+lib).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("resolve Flume's jars: mvn: %w: %s", err, bytes.TrimSpace(out))
	}
	return lib, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
}

// StartFlume starts an agent with a TAILDIR source, a memory channel and a null sink that follows
// the files access-NUMBER.log in logs, and waits until its counters can be read. Its configuration
// and positions are written to the directory home.
func StartFlume(ctx context.Context, jars, logs, home string) (*Flume, error) {
	text := strings.NewReplacer("@HOME@", home, "@LOGS@", logs).Replace(flumeAgent)
	return startFlume(ctx, "a", text, home, filepath.Join(jars, "*"))
}

// RunFlume starts the agent a of a configuration whose channel is named memory, and waits until its
// counters can be read.
func RunFlume(ctx context.Context, jars, home, configuration string) (*Flume, error) {
	return startFlume(ctx, "a", configuration, home, filepath.Join(jars, "*"))
}

// startFlume writes a configuration to home, starts the named agent of it, and waits until its
// counters can be read.
func startFlume(ctx context.Context, name, text, home, classPath string) (*Flume, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(home, name+".conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil { // it may contain passwords
		return nil, err
	}
	f := &Flume{log: filepath.Join(home, name+".out"), metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", port), ended: make(chan error, 1)}
	out, err := os.Create(f.log)
	if err != nil {
		return nil, err
	}
	defer out.Close() // nolint:errcheck // only the child writes to it
	f.cmd = exec.CommandContext(ctx, "java", append([]string{"-Xmx512m", "-XX:+UseSerialGC"}, append(flumeOpens,
		"-Dflume.monitoring.type=http", "-Dflume.monitoring.port="+strconv.Itoa(port),
		"-cp", classPath, "org.apache.flume.node.Application", "--no-reload-conf", "-n", name, "-f", conf)...)...)
	f.cmd.Stdout, f.cmd.Stderr, f.cmd.Dir = out, out, home
	if err := f.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { f.ended <- f.cmd.Wait() }()
	tick := time.NewTicker(flumePoll)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < flumeStarts; {
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Stop())
		case err := <-f.ended:
			return nil, fmt.Errorf("flume ended: %w: %s", err, f.Output())
		case <-tick.C:
			if report, err := f.counters(ctx); err == nil && len(report) > 0 {
				return f, nil
			}
		}
	}
	stopped := f.Stop()
	return nil, errors.Join(fmt.Errorf("flume's counters did not answer within %s: %s", flumeStarts, f.Output()), stopped)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// Taken returns the number of lines that the null sink has taken.
func (f *Flume) Taken(ctx context.Context) (int64, error) {
	return f.count(ctx, "CHANNEL.memory", "EventTakeSuccessCount")
}

// count returns a counter of a component, by the names in Flume's report.
func (f *Flume) count(ctx context.Context, component, counter string) (int64, error) {
	report, err := f.counters(ctx)
	if err != nil {
		return 0, err
	}
	return report.count(component, counter)
}

// flumeReport is Flume's JSON report: counters by component and name.
type flumeReport map[string]map[string]string

func (r flumeReport) count(component, counter string) (int64, error) {
	n, err := strconv.ParseInt(r[component][counter], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("flume's counter %s of %s: %w", counter, component, err)
	}
	return n, nil
}

func (f *Flume) counters(ctx context.Context) (flumeReport, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, f.metrics, nil)
	if err != nil {
		return nil, err
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return readReport(http.MaxBytesReader(nil, r.Body, maxMetrics))
}

func readReport(r io.Reader) (report flumeReport, err error) {
	if err := json.NewDecoder(r).Decode(&report); err != nil {
		return nil, fmt.Errorf("flume's counters: %w", err)
	}
	return report, nil
}

// Output returns the agent's output, which usually has its errors.
func (f *Flume) Output() string {
	text, err := os.ReadFile(f.log)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text))
}

// PID returns the id of the agent's process.
func (f *Flume) PID() int { return f.cmd.Process.Pid }

// CPU returns the CPU time of the agent so far, with a resolution of 10 ms.
func (f *Flume) CPU() (time.Duration, error) { return CPU(f.PID()) }

// CPU returns the CPU time of a process so far, with a resolution of 10 ms.
func CPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	return cpuOfStat(string(text))
}

// cpuOfStat returns the sum of user and system time, fields 14 and 15 of proc_pid_stat(5).
func cpuOfStat(text string) (time.Duration, error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // fields from number 3 on
	if len(fields) < 13 {
		return 0, fmt.Errorf("a process's stat has %d fields", len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticksASecond, errors.Join(err, err2)
}

// Stop stops the agent.
func (f *Flume) Stop() error {
	http.DefaultClient.CloseIdleConnections()
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-f.ended: // ignore the exit status after the signal
		return nil
	case <-time.After(flumeStops):
		err := f.cmd.Process.Kill()
		<-f.ended
		return err
	}
}

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

// flumeOpens lets a Java of today do what Flume, Hadoop and HBase do with it.
var flumeOpens = []string{
	"--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED",
	"--add-opens=java.base/sun.nio.ch=ALL-UNNAMED", "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED",
}

// ErrMissing says that Java or Maven is not installed.
var ErrMissing = errors.New("java and mvn are needed")

// Flume is a process of Flume 1.11.
type Flume struct {
	cmd     *exec.Cmd
	log     string // what it says
	metrics string
	ended   chan error
}

const (
	flumeStarts  = 3 * time.Minute
	flumeStops   = 10 * time.Second
	flumePoll    = 100 * time.Millisecond
	maxMetrics   = 1 << 20
	ticksASecond = 100 // USER_HZ, which is 100 wherever Linux has Go
)

// Jars resolves the jars that StartFlume needs into a folder below cache, once, with
// Maven, and returns the folder. ErrMissing: there is no Java, or no Maven.
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

// StartFlume starts an agent with a TAILDIR source, a memory channel and a null sink,
// which follows the access-NUMBER.log files in logs, and waits until its counters
// answer. home, a folder, gets its configuration and positions.
func StartFlume(ctx context.Context, jars, logs, home string) (*Flume, error) {
	text := strings.NewReplacer("@HOME@", home, "@LOGS@", logs).Replace(flumeAgent)
	return startFlume(ctx, "a", text, home, filepath.Join(jars, "*"))
}

// RunFlume starts the agent a of a configuration, whose channel is called memory, and
// waits until its counters answer.
func RunFlume(ctx context.Context, jars, home, configuration string) (*Flume, error) {
	return startFlume(ctx, "a", configuration, home, filepath.Join(jars, "*"))
}

// startFlume starts the agent of that name in a configuration, which goes into home,
// and waits until its counters answer.
func startFlume(ctx context.Context, name, text, home, classPath string) (*Flume, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(home, name+".conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil { // it may have passwords
		return nil, err
	}
	f := &Flume{log: filepath.Join(home, name+".out"), metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", port), ended: make(chan error, 1)}
	out, err := os.Create(f.log)
	if err != nil {
		return nil, err
	}
	defer out.Close() //nolint:errcheck // the process writes to it
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
			return nil, fmt.Errorf("flume ended: %w: %s", err, f.Said())
		case <-tick.C:
			if report, err := f.counters(ctx); err == nil && len(report) > 0 {
				return f, nil
			}
		}
	}
	stopped := f.Stop()
	return nil, errors.Join(fmt.Errorf("flume's counters did not answer within %s: %s", flumeStarts, f.Said()), stopped)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// Taken is how many lines the null sink took so far.
func (f *Flume) Taken(ctx context.Context) (int64, error) {
	return f.Count(ctx, "CHANNEL.memory", "EventTakeSuccessCount")
}

// Count is a counter, by its component's name in Flume's report.
func (f *Flume) Count(ctx context.Context, component, counter string) (int64, error) {
	report, err := f.counters(ctx)
	if err != nil {
		return 0, err
	}
	return report.count(component, counter)
}

// flumeReport is what Flume says of its components, by name.
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

// Said is what the agent said, most likely errors.
func (f *Flume) Said() string {
	text, err := os.ReadFile(f.log)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text))
}

// PID is the agent's process.
func (f *Flume) PID() int { return f.cmd.Process.Pid }

// CPU is what the agent used since it began, to a hundredth of a second.
func (f *Flume) CPU() (time.Duration, error) { return CPU(f.PID()) }

// CPU is what a process used since it began, to a hundredth of a second.
func CPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	return cpuOfStat(string(text))
}

// cpuOfStat adds user and system time, fields 14 and 15 of proc_pid_stat(5).
func cpuOfStat(text string) (time.Duration, error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // from field 3 on
	if len(fields) < 13 {
		return 0, fmt.Errorf("a process's stat has %d fields", len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticksASecond, errors.Join(err, err2)
}

// Stop ends the agent.
func (f *Flume) Stop() error {
	http.DefaultClient.CloseIdleConnections()
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-f.ended: // with the signal's status
		return nil
	case <-time.After(flumeStops):
		err := f.cmd.Process.Kill()
		<-f.ended
		return err
	}
}

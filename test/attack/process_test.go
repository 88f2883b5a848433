package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/monitor"
)

// process is a running sluice.
type process struct {
	*exec.Cmd
	errs bytes.Buffer
}

// build compiles sluice once for all tests.
func build(t *testing.T) string {
	t.Helper()
	if *attacked != "" {
		return *attacked
	}
	binary := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary
}

// start starts a program through a shell that sets the limit of open files; 0: no limit.
func start(t *testing.T, openFiles int, args ...string) *process {
	t.Helper()
	if openFiles > 0 {
		args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$@"`, openFiles), "sh"}, args...)
	}
	return run(t, exec.Command(args[0], args[1:]...))
}

// run starts a command, and kills it at the end of the test.
func run(t *testing.T, command *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: command}
	p.Stderr = &p.errs
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil {
			p.Process.Kill() // nolint:errcheck // after a failure, or it has ended
			p.Wait()         //nolint:errcheck // the same
		}
	})
	return p
}

// stop ends the process with SIGTERM.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Fatalf("%s: %v: %s", p.Args, err, p.errs.String())
	}
}

// peakBytes returns the peak resident memory of the process.
func (p *process) peakBytes(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // no connection was accepted
	return l.Addr().String()
}

// healthOf reads /health from a status port; nil if that failed.
func healthOf(ctx context.Context, address string) *monitor.Health {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health", nil)
	if err != nil {
		return nil
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	reply, err := client.Do(request)
	if err != nil {
		return nil
	}
	defer reply.Body.Close() // nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(reply.Body, 16<<20))
	var h monitor.Health
	if err != nil || json.Unmarshal(text, &h) != nil {
		return nil
	}
	return &h
}

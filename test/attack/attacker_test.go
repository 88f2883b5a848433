package attack

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// plan is what an attacker's process does: the environment hands it over as JSON.
type plan struct {
	Attack          int // in attacks()
	Address, Status string
	HonestLog       string
	Cert, Key       string // of the attacker; "": without TLS
}

const planVariable = "SLUICE_ATTACK"

// TestMain is the attacker where the environment says so. It is a process of its own, so
// that it can be ended at once, and has CPU seconds of its own.
func TestMain(m *testing.M) {
	if text := os.Getenv(planVariable); text != "" {
		if err := attackBy(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// attackBy attacks until standard input ends.
func attackBy(text string) error {
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	x := &target{address: p.Address, status: p.Status, honestLog: p.HonestLog}
	if p.Cert != "" {
		pair, err := tls.LoadX509KeyPair(p.Cert, p.Key)
		if err != nil {
			return err
		}
		x.tls = &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true} //nolint:gosec // an attacker does not mind
	}
	ctx, end := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // any end is one
		end()
	}()
	attacks()[p.Attack].does(ctx, x)
	return nil
}

// startAttacker starts a process that attacks until the test ends, or it is killed.
func startAttacker(t *testing.T, p plan) *process {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary)
	command.Env = append(os.Environ(), planVariable+"="+string(text))
	if _, err := command.StdinPipe(); err != nil { // its end is this process's end
		t.Fatal(err)
	}
	return run(t, command)
}

// kill ends the process at once.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	p.Wait() //nolint:errcheck // it was killed
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatalf("%v to %s: %v; %s", s, p.Args, err, p.errs.String())
	}
}

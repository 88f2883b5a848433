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

// plan is the task of an attacking process, passed as JSON in the environment.
type plan struct {
	Attack          int // index into attacks()
	Address, Status string
	HonestLog       string
	Cert, Key       string // of the attacker; empty: without TLS
}

const planVariable = "SLUICE_ATTACK"

// TestMain runs the attacker if the environment has a plan. It is a separate process, so that it
// can be killed and its CPU time measured.
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
		x.tls = &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true} // nolint:gosec // the attacker does not verify the server
	}
	ctx, end := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin) // nolint:errcheck // any end is the end
		end()
	}()
	attacks()[p.Attack].does(ctx, x)
	return nil
}

// startAttacker starts a process that attacks until the test ends or it is killed.
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
	if _, err := command.StdinPipe(); err != nil { // closing it ends the process
		t.Fatal(err)
	}
	return run(t, command)
}

// kill kills the process with SIGKILL.
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

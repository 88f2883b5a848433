package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"sluice/bench/peers"
)

// hbaseClient is the process of a client that is measured, ours or Java's.
type hbaseClient struct {
	kind    hbaseClientKind
	cmd     *exec.Cmd
	in      io.WriteCloser
	replies *json.Decoder
	errors  bytes.Buffer // its standard error, for when it fails
	pid     int          // of the client itself: a script may be between
}

// startHBaseClient starts a client and tells it what its rows are.
func startHBaseClient(kind hbaseClientKind, cmd *exec.Cmd, rows string) (*hbaseClient, error) {
	c := &hbaseClient{kind: kind, cmd: cmd}
	cmd.Stderr = &c.errors
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", kind.name, err)
	}
	c.replies = json.NewDecoder(out)
	var hello hbaseReply
	if err := c.replies.Decode(&hello); err != nil {
		err = errors.Join(err, c.stop())
		return nil, fmt.Errorf("start %s: %w: %s", kind.name, err, bytes.TrimSpace(c.errors.Bytes()))
	}
	c.pid = hello.PID
	if _, err := c.ask(rows); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// ask asks for something and waits for its end.
func (c *hbaseClient) ask(request string) (r hbaseReply, err error) {
	if _, err = io.WriteString(c.in, request+"\n"); err == nil {
		err = c.replies.Decode(&r)
	}
	if err == nil && r.Err != "" {
		err = errors.New(r.Err)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %s: %w", c.kind.name, strings.ReplaceAll(request, "\t", " "), err)
	}
	return r, nil
}

// hbasePass is what a request took.
type hbasePass struct {
	reply      hbaseReply
	wall       time.Duration
	cpu        time.Duration // of the client
	serversCPU time.Duration
}

// timed is ask, measured from outside.
func (c *hbaseClient) timed(request string) (p hbasePass, err error) {
	before, err := peers.CPU(c.pid)
	if err != nil {
		return p, err
	}
	began := time.Now()
	if p.reply, err = c.ask(request); err != nil {
		return p, err
	}
	p.wall = time.Since(began)
	after, err := peers.CPU(c.pid)
	p.cpu = after - before
	return p, err
}

// stop ends the process, by the end of its input.
func (c *hbaseClient) stop() error { return errors.Join(c.in.Close(), c.cmd.Wait()) }

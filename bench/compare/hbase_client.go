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

// hbaseClient is the process of a measured client, of sluice or Java.
type hbaseClient struct {
	kind    hbaseClientKind
	cmd     *exec.Cmd
	in      io.WriteCloser
	replies *json.Decoder
	errors  bytes.Buffer // standard error
	pid     int          // of the client itself, which may be a child of a script
}

// startHBaseClient starts a client and sends it the request for its rows.
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

// ask sends a request and waits for the reply.
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

// hbasePass is the cost of a request.
type hbasePass struct {
	reply hbaseReply
	wall  time.Duration
	cpu   time.Duration // of the client
	used  serverCPU
}

// timed is ask with measurements from outside of the process.
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

// stop closes the input of the process, which ends it.
func (c *hbaseClient) stop() error { return errors.Join(c.in.Close(), c.cmd.Wait()) }

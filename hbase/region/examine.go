package region

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"sluice/hbase/rpc"
)

// Member is the state of one ZooKeeper server.
type Member struct {
	// Mode is the reply to srvr: leader, follower, standalone or observer; empty if the command is
	// not allowed.
	Mode string
	// RoundTrip is the time of a request.
	RoundTrip time.Duration
	// NoNode is true if nodes cannot be created at the top level, which is not an error.
	NoNode bool
	// Found is true if the cluster's node exists.
	Found bool
}

// maxWords bounds the reply to a four-letter word.
const maxWords = 64 << 10

// errNotServing is returned if the server runs but is not part of a quorum.
var errNotServing = errors.New("the server runs but serves no clients: it has no quorum of ZooKeeper servers")

// ExamineZooKeeper checks one server: its mode, whether it accepts a session, and whether a
// temporary node can be created, read and removed. root is the cluster's node.
func ExamineZooKeeper(ctx context.Context, address, root string, timeout time.Duration) (m Member, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*timeout)
	defer cancel()
	if m.Mode, err = askMode(ctx, address, timeout); err != nil {
		return m, err
	}
	z := NewZooKeeper([]string{address}, root, timeout, slog.New(slog.DiscardHandler))
	conn, err := z.connect()
	if err != nil {
		return m, err
	}
	type result struct {
		member Member
		err    error
	}
	done := make(chan result, 1)
	go func() {
		made, err := tryNode(conn, root)
		done <- result{made, err}
	}()
	select {
	case r := <-done:
		r.member.Mode = m.Mode
		m, err = r.member, r.err
	case <-ctx.Done():
		err = fmt.Errorf("it accepts connections, but starts no session within %v: %w", 2*timeout, rpc.ErrSilent)
	}
	return m, errors.Join(err, z.Close()) // ends pending calls
}

// askMode sends srvr. ZooKeeper replies, or reports that it is not allowed
// (4lw.commands.whitelist).
func askMode(ctx context.Context, address string, timeout time.Duration) (string, error) {
	d := net.Dialer{Timeout: timeout}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return "", err
	}
	lines := bufio.NewScanner(io.LimitReader(conn, maxWords))
	for lines.Scan() {
		line := lines.Text()
		if mode, ok := strings.CutPrefix(line, "Mode: "); ok {
			return mode, nil
		}
		if strings.Contains(line, "not currently serving requests") {
			return "", errNotServing
		}
	}
	var silent net.Error
	if errors.As(lines.Err(), &silent) && silent.Timeout() {
		return "", fmt.Errorf("it accepts connections, but does not answer within %v: %w", timeout, rpc.ErrSilent)
	}
	return "", nil // not allowed
}

// tryNode creates a node that is removed at the latest with the session.
func tryNode(conn *zk.Conn, root string) (m Member, err error) {
	if m.Found, _, err = conn.Exists(root); err != nil {
		return m, fmt.Errorf("read %s: %w", root, err)
	}
	began := time.Now()
	if _, _, err := conn.Exists(path.Join(root, "hbaseid")); err != nil {
		return m, fmt.Errorf("read %s: %w", root, err)
	}
	m.RoundTrip = time.Since(began)
	name := "/sluice-doctor-" + rand.Text()
	_, err = conn.Create(name, []byte("sluice doctor"), zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	if errors.Is(err, zk.ErrNoAuth) {
		m.NoNode = true
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("make the temporary node %s: %w", name, err)
	}
	b, _, err := conn.Get(name)
	if err == nil && string(b) != "sluice doctor" {
		err = fmt.Errorf("it holds %q", b)
	}
	if err != nil {
		err = fmt.Errorf("read the temporary node %s: %w", name, err)
	}
	if e := conn.Delete(name, -1); e != nil {
		err = errors.Join(err, fmt.Errorf("remove the temporary node %s, which ZooKeeper removes at the end of the session: %w", name, e))
	}
	return m, err
}

package region

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sluice/hbase/rpc"
)

// srvr may be disabled, a server may have no quorum, and one may hang.
func TestTheStateOfAZooKeeperServer(t *testing.T) {
	for answer, want := range map[string]struct {
		mode string
		err  error
	}{
		"Zookeeper version: 3.8.4\nLatency min/avg/max: 0/0.0/0\nMode: follower\nNode count: 5\n": {"follower", nil},
		"srvr is not executed because it is not in the whitelist.\n":                              {"", nil},
		"This ZooKeeper instance is not currently serving requests\n":                             {"", errNotServing},
		"": {"", rpc.ErrSilent},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			word := make([]byte, 4)
			if _, err := io.ReadFull(conn, word); err != nil || string(word) != "srvr" {
				t.Errorf("the server got %q, %v", word, err)
			}
			if answer == "" {
				_, _ = io.Copy(io.Discard, conn) // until the other side closes
				return
			}
			_, _ = io.WriteString(conn, answer)
		}()
		limit := 5 * time.Minute
		if answer == "" {
			limit = 200 * time.Millisecond
		}
		mode, err := askMode(t.Context(), l.Addr().String(), limit)
		if mode != want.mode || !errors.Is(err, want.err) {
			t.Errorf("%q: %s, %v; want %s, %v", strings.TrimSpace(answer), mode, err, want.mode, want.err)
		}
		<-done
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

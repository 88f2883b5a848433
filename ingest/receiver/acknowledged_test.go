package receiver

import (
	"net"
	"path/filepath"
	"testing"

	"sluice/ingest/avrorpc"
	"sluice/ingest/protocol"
)

// TestAnAgentOfEachVersionIsAnswered: the answer to a heartbeat has the acknowledged losses of its
// host only, and only in the version that has a field for them.
func TestAnAgentOfEachVersionIsAnswered(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0, func(cfg *Config) {
		cfg.AcknowledgedLoss = func(host string) int64 { return map[string]int64{"web01": 7}[host] }
	})
	defer c.end(t, false)
	for _, want := range []struct {
		host    string
		version protocol.Version
		number  int64
	}{{"web01", protocol.Version3, 7}, {"web02", protocol.Version3, 0}, {"web01", protocol.Version2, 0}} {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			t.Fatal(err)
		}
		client, err := avrorpc.NewClient(t.Context(), conn, want.version.Protocol(), avrorpc.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w := &wire{t: t, client: client}
		w.hello(want.host)
		h := protocol.Heartbeat{Host: want.host}
		reply, err := client.Call(t.Context(), protocol.MessageStatus, h.Append(nil), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var d protocol.Directive
		if err := d.DecodeVersion(reply, want.version); err != nil || d.AcknowledgedLoss != want.number {
			t.Errorf("%+v: %+v, %v", want, d, err)
		}
		w.close()
	}
}

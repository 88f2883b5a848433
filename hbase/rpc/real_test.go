package rpc

import (
	"errors"
	"net"
	"strconv"
	"testing"

	"sluice/test/cluster"
)

// A real server answers a probe, and the connection can be used afterwards.
func TestARealServerAnswersProbes(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	for service, address := range map[string]string{ClientService: c.RegionServers[0], MasterService: c.Master} {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		server := Server{Host: host}
		if server.Port, err = strconv.Atoi(port); err != nil {
			t.Fatal(err)
		}
		conn, err := Dial(t.Context(), server, service, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			_, err := conn.Call(t.Context(), &Request{Method: probeMethod})
			var remote *RemoteError
			if !errors.As(err, &remote) {
				t.Errorf("%s: a probe's answer: %v", service, err)
			}
		}
		select {
		case <-conn.broken:
			t.Errorf("%s: the connection broke", service)
		default:
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

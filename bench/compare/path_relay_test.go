package compare

import (
	"io"
	"net"
	"testing"
)

// TestRelaysGiveHostsSourceAddresses checks that a collector sees at most hostsPerAddress hosts at
// one address, and that bytes pass in both directions.
func TestRelaysGiveHostsSourceAddresses(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const hosts = 2*hostsPerAddress + 1
	addresses, err := relays(t.Context(), hosts, listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for _, address := range addresses {
		agent, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		collector, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range [][2]net.Conn{{agent, collector}, {collector, agent}} {
			if _, err := way[0].Write([]byte("word")); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 4)
			if _, err := io.ReadFull(way[1], b); err != nil || string(b) != "word" {
				t.Fatalf("%q, %v", b, err)
			}
		}
		at[collector.RemoteAddr().(*net.TCPAddr).IP.String()]++
		agent.Close()
		collector.Close()
	}
	if len(at) != 3 || at["127.0.1.1"] != hostsPerAddress || at["127.0.1.3"] != 1 {
		t.Errorf("source addresses: %v", at)
	}
}

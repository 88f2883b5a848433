package compare

import (
	"context"
	"fmt"
	"io"
	"net"
)

// hostsPerAddress is the number of agents with the same source address. A collector accepts at most
// 64 connections from one address, and limits its share of memory.
const hostsPerAddress = 25

// relay accepts connections at the address that it returns, and passes each on to the address to,
// from the source address 127.0.1.n, until ctx is done. The kernel moves the bytes (splice).
func relay(ctx context.Context, n int, to string) (address string, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(n))}}
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := dialer.DialContext(ctx, "tcp", to)
				if err != nil {
					return // the agent connects again
				}
				defer out.Close()
				splice(in, out)
			}()
		}
	}()
	return listener.Addr().String(), nil
}

// splice copies between two connections until one of them ends.
func splice(a, b net.Conn) {
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		go func() {
			_, _ = io.Copy(way[0], way[1]) // an error ends the connection, and the agent connects again
			ended <- struct{}{}
		}()
	}
	<-ended
}

// relays returns the address for each host: of the collector, or of a relay for every
// hostsPerAddress hosts if there are more.
func relays(ctx context.Context, hosts int, collector string) ([]string, error) {
	addresses := make([]string, hosts)
	for i := range addresses {
		switch {
		case hosts <= hostsPerAddress:
			addresses[i] = collector
		case i%hostsPerAddress > 0:
			addresses[i] = addresses[i-1]
		default:
			address, err := relay(ctx, i/hostsPerAddress+1, collector)
			if err != nil {
				return nil, fmt.Errorf("relay for another source address: %w", err)
			}
			addresses[i] = address
		}
	}
	return addresses, nil
}

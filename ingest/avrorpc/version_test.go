package avrorpc

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
)

// If the two sides have different versions of a protocol, the error names both.
func TestTwoVersionsOfAProtocolSayWhichIsWhich(t *testing.T) {
	of := func(name string) *Protocol {
		p, err := NewProtocol(`{"protocol":"` + name + `","namespace":"sluice","messages":{}}`)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		s := &Server{Services: []Service{{Protocol: of("Collector2")}}}
		ended <- s.Serve(ctx, l)
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewClient(t.Context(), conn, of("Collector"), ClientOptions{})
	if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), `"sluice.Collector2"`) || !strings.Contains(err.Error(), "upgrade") {
		t.Errorf("%v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

package avrorpc

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
)

// protocolOf returns a protocol without messages.
func protocolOf(t *testing.T, name string) *Protocol {
	t.Helper()
	p, err := NewProtocol(`{"protocol":"` + name + `","namespace":"sluice","messages":{}}`)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// greet makes a client of a server that has some protocols, and returns the one that they use.
func greet(t *testing.T, served []*Protocol, newest *Protocol, earlier ...*Protocol) (*Protocol, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &Server{}
	for _, p := range served {
		s.Services = append(s.Services, Service{Protocol: p, Open: func(context.Context, Peer) (Session, error) { return silent{}, nil }})
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(t.Context(), conn, newest, ClientOptions{Earlier: earlier})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Protocol(), nil
}

// silent is a session without messages.
type silent struct{}

func (silent) Begin(context.Context, *Call) (Finisher, error) { return nil, nil }
func (silent) Close()                                         {}

// TestTheNewestVersionOfBothSidesIsUsed: a server may have more versions than a client, or fewer.
func TestTheNewestVersionOfBothSidesIsUsed(t *testing.T) {
	two, three, other := protocolOf(t, "Collector2"), protocolOf(t, "Collector3"), protocolOf(t, "Other")
	documented, err := NewProtocol(`{"protocol":"Collector2","namespace":"sluice","doc":"with another hash","messages":{}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name            string
		served          []*Protocol
		newest, earlier *Protocol
		want            *Protocol
	}{
		{"both are new", []*Protocol{three, two, other}, three, two, three},
		{"the server is older", []*Protocol{two, other}, three, two, two},
		{"the server is older and has another text", []*Protocol{documented, other}, three, two, two},
		{"the client is older", []*Protocol{three, two, other}, two, nil, two},
	} {
		var earlier []*Protocol
		if c.earlier != nil {
			earlier = append(earlier, c.earlier)
		}
		if got, err := greet(t, c.served, c.newest, earlier...); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

// If the two sides have no version of a protocol in common, the error names both.
func TestAVersionMismatchNamesBothVersions(t *testing.T) {
	_, err := greet(t, []*Protocol{protocolOf(t, "Collector4")}, protocolOf(t, "Collector3"), protocolOf(t, "Collector2"))
	if !errors.Is(err, errProtocol) || !strings.Contains(err.Error(), `"sluice.Collector4"`) || !strings.Contains(err.Error(), "upgrade") {
		t.Errorf("%v", err)
	}
}

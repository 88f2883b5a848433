package receiver

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"sluice/ingest/avrorpc"
	"sluice/ingest/protocol"
	"sluice/schema"
)

func TestAHostWritesItsOwnStreamsOnly(t *testing.T) {
	certified := avrorpc.Peer{TLS: true, Names: []string{"web01", "www.Example.com", "xn--bcher-kva.example"}}
	for _, test := range []struct {
		peer avrorpc.Peer
		host string
		is   string
		want string
	}{
		{certified, "web01", "web01", ""},
		{certified, "WEB01", "web01", ""},
		{certified, "web01.", "web01", ""},
		{certified, "www.example.com", "www.Example.com", ""},
		{certified, "WWW.EXAMPLE.COM.", "www.Example.com", ""},
		{certified, "b\u00fccher.example", "", "the certificate is for"},
		{certified, "XN--BCHER-KVA.example", "xn--bcher-kva.example", ""},
		{avrorpc.Peer{TLS: true, Names: []string{"bak"}}, "ba\u212a", "", "the certificate is for"},
		{certified, "web02", "", "the certificate is for"},
		{avrorpc.Peer{TLS: true}, "web01", "", "the certificate is for"},
		{avrorpc.Peer{TLS: true, Names: []string{"../x"}}, "../x", "", "begins with ."},
		{avrorpc.Peer{}, "web01", "web01", ""},
		{avrorpc.Peer{}, "web/01", "", "slash"},
	} {
		is, err := (&session{peer: test.peer}).mayWrite(test.host)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) || err == nil && is != test.is {
			t.Errorf("%+v as %q: %q, %v", test.peer, test.host, is, err)
		}
	}
}

// A batch that is wrong is rejected, and the connection continues.
func TestAWrongBatchIsRejectedAndTheConnectionContinues(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	defer c.end(t, false)
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		t.Fatal(err)
	}
	client, err := avrorpc.NewClient(t.Context(), conn, protocol.New(), avrorpc.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	codec, err := protocol.NewCodec(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer codec.Close()
	line := lines(0, 1)
	send := func(change func(*protocol.Batch)) protocol.Receipt {
		t.Helper()
		m := protocol.Batch{Stream: 7, Range: schema.Range{End: int64(len(line))}, Lines: 1}
		codec.Encode(&m, []byte(line), nil)
		change(&m)
		reply, err := client.Call(t.Context(), protocol.MessageAppend, m.AppendHead(nil), m.Body, nil)
		var r protocol.Receipt
		if err == nil {
			err = r.Decode(reply)
		}
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	hello := func(h protocol.Hello) error {
		_, err := client.Call(context.Background(), protocol.MessageHello, h.Append(nil), nil, nil)
		return err
	}
	as := func(*protocol.Batch) {}
	if r := send(as); r.Status != protocol.UnknownStream {
		t.Errorf("before hello: %+v", r)
	}
	if err := hello(protocol.Hello{Host: "a/b"}); err == nil {
		t.Error("a host name with a slash was accepted")
	}
	if err := hello(protocol.Hello{Host: "web01", Streams: []protocol.Stream{{ID: 7, Path: "/a.log", Format: "common"}, {ID: 8, Path: "/b.log", Format: "%nonsense"}}}); err != nil {
		t.Fatal(err)
	}
	if err := hello(protocol.Hello{Host: "web02"}); err == nil {
		t.Error("one connection is accepted for two hosts")
	}
	for _, test := range []struct {
		name   string
		change func(*protocol.Batch)
		want   protocol.Status
	}{
		{"a stream that was not declared", func(m *protocol.Batch) { m.Stream = 9 }, protocol.UnknownStream},
		{"a format that is none", func(m *protocol.Batch) { m.Stream = 8 }, protocol.Refused},
		{"another checksum", func(m *protocol.Batch) { m.CRC++ }, protocol.Refused},
		{"more lines than it has", func(m *protocol.Batch) { m.Lines = 2 }, protocol.Refused},
		{"a place beyond all logs", func(m *protocol.Batch) {
			m.Range = schema.Range{Start: schema.MaxOffset, End: schema.MaxOffset + m.Range.Len()}
		}, protocol.Refused},
		{"as it should be", as, protocol.OK},
		{"once more", as, protocol.OK},
	} {
		if r := send(test.change); r.Status != test.want || r.Status != protocol.OK && r.Reason == "" {
			t.Errorf("%s: %+v", test.name, r)
		}
	}
	if n := c.core.Counters.Lines.Load(); n != 1 {
		t.Errorf("%d lines were received", n)
	}
	if h := c.host(); h.Refused != 3 || h.RefusedAt.IsZero() {
		t.Errorf("%d batches were refused, the last at %v", h.Refused, h.RefusedAt)
	}
}

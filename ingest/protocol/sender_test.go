package protocol

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sluice/bench/sample"
	"sluice/ingest/avrorpc"
)

// senderJars resolves Avro's Java library once.
func senderJars(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it needs Java")
	}
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	pom, err := os.ReadFile("testdata/sender/pom.xml")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "sluice-tests", fmt.Sprintf("sender-%08x", crc32.ChecksumIEEE(pom)))
	complete := filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return filepath.Join(dir, "lib")
	}
	out, err := exec.CommandContext(t.Context(), "mvn", "-q", "-B", "-f", "testdata/sender/pom.xml", "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(dir, "lib")).CombinedOutput()
	if err != nil {
		t.Fatalf("mvn: %v: %s", err, out)
	}
	if err := os.WriteFile(complete, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "lib")
}

// collected is a collector that keeps what it receives in memory.
type collected struct {
	codec  *Codec
	data   []byte
	hello  Hello
	status Heartbeat
}

func (*collected) Close() {}
func (c *collected) Begin(_ context.Context, call *avrorpc.Call) (avrorpc.Finisher, error) {
	position := func() Position { return Position{Stream: 7, Received: int64(len(c.data))} }
	var reply message
	switch call.Message {
	case MessageHello:
		if err := c.hello.Decode(call.Params); err != nil {
			return nil, err
		}
		reply = &Welcome{Collector: "c1", MaxBatchBytes: 1 << 20, Positions: []Position{position()}, Compressions: []Compression{None}}
	case MessageAppend:
		var m Batch
		if err := m.Decode(call.Params); err != nil {
			return nil, err
		}
		data, err := c.codec.Data(&m, nil)
		if err != nil || m.Range.Start != int64(len(c.data)) || m.Lines != bytes.Count(data, []byte("\n")) {
			return nil, errors.Join(err, fmt.Errorf("batch %s after %d", m.Range, len(c.data)))
		}
		c.data = append(c.data, data...)
		reply = &Receipt{Received: int64(len(c.data))}
	case MessageStatus:
		if err := c.status.Decode(call.Params); err != nil {
			return nil, err
		}
		reply = &Directive{Positions: []Position{position()}, Reason: "go on"}
	default:
		return nil, errors.New("no such message")
	}
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { return reply.Append(b), nil }), nil
}

// A sender that knows only docs/protocol.avdl delivers: Avro's Java client.
func TestASenderMadeFromTheProtocolFileDelivers(t *testing.T) {
	jars := senderJars(t)
	var log bytes.Buffer
	if err := sample.Write(&log, 3, 5000); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(file, log.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &collected{codec: codec(t)}
	s := &avrorpc.Server{Services: []avrorpc.Service{{Protocol: New(), Open: func(context.Context, avrorpc.Peer) (avrorpc.Session, error) { return c, nil }}}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	out, err := exec.CommandContext(t.Context(), "java", "-cp", filepath.Join(jars, "*"), "testdata/sender/Sender.java",
		"../../docs/protocol.avdl", strconv.Itoa(l.Addr().(*net.TCPAddr).Port), file).CombinedOutput()
	cancel()
	done.Wait()
	if err != nil || !strings.Contains(string(out), "welcome c1") || !strings.Contains(string(out), "go on") {
		t.Fatalf("%v: %s", err, out)
	}
	if !bytes.Equal(c.data, log.Bytes()) {
		t.Errorf("%d bytes came of %d", len(c.data), log.Len())
	}
	if c.hello.Host != "web01" || c.hello.Streams[0].Labels["site"] != "a" || c.status.Counters["lines"] != 1 {
		t.Errorf("%+v, %+v", c.hello, c.status)
	}
}

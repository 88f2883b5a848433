package flume

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/bench/peers"
	"sluice/bench/sample"
	"sluice/ingest/avrorpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// layer is how Flume is configured to send, and what the other side must do.
type layer struct {
	name     string
	settings string // of a sink or source NAME
	tls      bool
	deflate  bool
}

var layers = []layer{
	{name: "plain"},
	{name: "deflate", settings: "NAME.compression-type = deflate\n", deflate: true},
	{name: "tls", settings: "NAME.ssl = true\nNAME.trust-all-certs = true\n", tls: true},
	{name: "tls and deflate", settings: "NAME.ssl = true\nNAME.trust-all-certs = true\nNAME.compression-type = deflate\n", tls: true, deflate: true},
}

// startFlume runs Flume with a configuration from testdata until the test ends.
func startFlume(t *testing.T, home, conf, settings string, port int) *bytes.Buffer {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it needs Java")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	jars, err := peers.Jars(t.Context(), filepath.Join(cache, "sluice-tests"))
	if errors.Is(err, peers.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", conf))
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.NewReplacer("@HOME@", home, "@PORT@", strconv.Itoa(port)).Replace(string(text)) + settings
	if err := os.WriteFile(filepath.Join(home, "flume.conf"), []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("java", "-Xmx256m", "-XX:+UseSerialGC", "-Dflume.log.dir="+home,
		"--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED",
		"-cp", filepath.Join(jars, "*"), "org.apache.flume.node.Application", "--no-reload-conf", "-n", "a", "-f", filepath.Join(home, "flume.conf"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &out, home
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // a signal ends it
		if t.Failed() {
			t.Logf("output of flume:\n%s", out.Bytes()[max(0, out.Len()-4000):])
		}
	})
	return &out
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// received is a Receiver that records the events: body and headers.
type received struct {
	mu   sync.Mutex
	want int
	all  chan struct{}
	got  []place
}

type place struct{ host, timestamp, file, offset, body string }

func (r *received) Close() {}
func (r *received) Receive(_ context.Context, events *Events) (func(context.Context) error, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var e Event
	for events.Next(&e) {
		r.got = append(r.got, place{string(e.Header(HeaderHost)), string(e.Header(HeaderTimestamp)), string(e.Header(HeaderFile)), string(e.Header(HeaderByteOffset)), string(e.Body)})
		if len(r.got) == r.want {
			close(r.all)
		}
	}
	return func(context.Context) error { return nil }, nil
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func lines(t *testing.T, n int) []string {
	t.Helper()
	var b bytes.Buffer
	if err := sample.Write(&b, 7, n); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// An unchanged Flume delivers. byteoffset is where the line begins; a carriage return before the
// newline is removed by TAILDIR and counts in the offset.
func TestAnUnchangedFlumeDelivers(t *testing.T) {
	for _, layer := range layers {
		t.Run(layer.name, func(t *testing.T) {
			home, want := t.TempDir(), lines(t, 1000)
			if err := os.WriteFile(filepath.Join(home, "access.log"), []byte(strings.Join(want, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			r := &received{want: len(want), all: make(chan struct{})}
			s := &avrorpc.Server{Services: []avrorpc.Service{Service(func(context.Context, avrorpc.Peer) (Receiver, error) { return r, nil })}}
			l := avrorpc.Layers{}
			if layer.tls {
				l.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
			}
			s.Upgrade = l.Upgrade
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var done sync.WaitGroup
			done.Go(func() {
				if err := s.Serve(ctx, listener); err != nil {
					t.Error(err)
				}
			})
			defer done.Wait()
			defer cancel()
			startFlume(t, home, "sink.conf", strings.ReplaceAll(layer.settings, "NAME", "a.sinks.up"), listener.Addr().(*net.TCPAddr).Port)
			select {
			case <-r.all:
			case <-time.After(5 * time.Minute):
				t.Fatalf("%d of %d events came", len(r.got), len(want))
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			offset := 0
			for i, e := range r.got {
				if e.body != strings.TrimSuffix(want[i], "\r") || e.offset != strconv.Itoa(offset) || e.file != filepath.Join(home, "access.log") || e.host == "" || e.timestamp == "" {
					t.Fatalf("event %d is %+v, not at %d: %q", i, e, offset, want[i])
				}
				offset += len(want[i]) + 1
			}
		})
	}
}

// An unchanged Flume accepts what the client sends; compared with what Flume's file_roll sink
// writes, including the headers.
func TestAnUnchangedFlumeAcceptsBatches(t *testing.T) {
	for _, layer := range layers {
		t.Run(layer.name, func(t *testing.T) {
			home, want, port := t.TempDir(), lines(t, 1000), freePort(t)
			if err := os.Mkdir(filepath.Join(home, "out"), 0o700); err != nil {
				t.Fatal(err)
			}
			settings := strings.ReplaceAll(layer.settings, "NAME", "a.sources.in")
			if layer.tls {
				settings += keystore(t, home)
			}
			startFlume(t, home, "source.conf", settings, port)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			c := dialFlume(t, ctx, layer, port)
			defer c.Close()
			offset := 0
			for len(want) > 0 {
				var events []Event
				for _, line := range want[:100] {
					events = append(events, Event{Body: []byte(line), Headers: []Header{{[]byte(HeaderHost), []byte("web01")}, {[]byte(HeaderByteOffset), []byte(strconv.Itoa(offset))}}})
					offset += len(line) + 1
				}
				if err := c.Append(ctx, events); err != nil {
					t.Fatal(err)
				}
				want = want[100:]
			}
			waitForOutput(t, ctx, filepath.Join(home, "out"), expected(lines(t, 1000)))
		})
	}
}

// expected returns what Flume's HEADER_AND_TEXT serializer writes, with one order of its map.
func expected(lines []string) map[string]bool {
	want := make(map[string]bool)
	offset := 0
	for _, line := range lines {
		want[fmt.Sprintf("{byteoffset=%d, host=web01} %s", offset, line)] = true
		offset += len(line) + 1
	}
	return want
}

func keystore(t *testing.T, home string) string {
	t.Helper()
	store := filepath.Join(home, "flume.p12")
	out, err := exec.Command("keytool", "-genkeypair", "-alias", "flume", "-keyalg", "EC", "-dname", "CN=localhost", "-storetype", "PKCS12", "-storepass", "changeit", "-keystore", store).CombinedOutput()
	if err != nil {
		t.Fatalf("keytool: %v: %s", err, out)
	}
	return "a.sources.in.keystore = " + store + "\na.sources.in.keystore-password = changeit\na.sources.in.keystore-type = PKCS12\n"
}

// dialFlume tries until Flume listens.
func dialFlume(t *testing.T, ctx context.Context, layer layer, port int) *Client {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			if layer.deflate { // the outer layer in Flume 1.11
				conn = avrorpc.Deflate(conn)
			}
			if layer.tls {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			}
			c, err := NewClient(ctx, conn, avrorpc.ClientOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

func waitForOutput(t *testing.T, ctx context.Context, dir string, want map[string]bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")...)
		}
		if len(got) >= len(want) && strings.Join(got, "") != "" {
			for _, line := range got {
				if line = strings.Replace(line, "{host=web01, byteoffset=", "{byteoffset=", 1); !want[line] {
					// the other order of the two headers
					head, body, _ := strings.Cut(line, "} ")
					line = head + ", host=web01} " + body
					if !want[line] {
						t.Fatalf("flume stored a line that was not sent: %q", line)
					}
				}
				delete(want, line)
			}
			if len(want) > 0 {
				t.Fatalf("%d lines are not there", len(want))
			}
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%d of %d lines are there", len(got), len(want))
		case <-tick.C:
		}
	}
}

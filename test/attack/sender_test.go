package attack

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/ingest/avrorpc"
	"sluice/ingest/protocol"
	"sluice/schema"
)

// authority signs the certificates of a test.
type authority struct {
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	dir    string
	serial int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert = &x509.Certificate{Subject: pkix.Name{CommonName: "attack"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.key = a.write(t, "ca", a.cert, nil)
	return a
}

// write creates a key and a certificate, dir/NAME.pem and dir/NAME.key.
func (a *authority) write(t *testing.T, name string, c *x509.Certificate, signer *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	if signer == nil {
		signer = key
	}
	a.serial++
	c.SerialNumber, c.NotAfter = big.NewInt(a.serial), time.Now().Add(365*24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, signer)
	must(err)
	private, err := x509.MarshalECPrivateKey(key)
	must(err)
	must(os.WriteFile(filepath.Join(a.dir, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(os.WriteFile(filepath.Join(a.dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600))
	return key
}

// flags returns the TLS flags of a sluice process for a host.
func (a *authority) flags(t *testing.T, host string) []string {
	t.Helper()
	a.write(t, host, &x509.Certificate{DNSNames: []string{host}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}, a.key)
	path := filepath.Join(a.dir, host)
	return []string{"--tls-cert", path + ".pem", "--tls-key", path + ".key", "--tls-ca", filepath.Join(a.dir, "ca.pem")}
}

// sender speaks the agents' protocol, without checking what it sends.
type sender struct {
	client *avrorpc.Client
	codec  *protocol.Codec
}

// target is the attacked collector.
type target struct {
	address, status string
	tls             *tls.Config // nil: without TLS
	honestLog       string
}

// dial connects from an address; "": any.
func (x *target) dial(ctx context.Context, from string) (*sender, error) {
	conn, err := x.connect(ctx, x.address, from)
	if err != nil {
		return nil, err
	}
	if x.tls != nil {
		conn = tls.Client(conn, x.tls)
	}
	client, err := avrorpc.NewClient(ctx, conn, protocol.New(), avrorpc.ClientOptions{ReplyBytes: 16 << 20})
	if err != nil {
		return nil, err
	}
	codec, err := protocol.NewCodec(2 << 20)
	if err != nil {
		return nil, err
	}
	return &sender{client, codec}, nil
}

func (x *target) connect(ctx context.Context, address, from string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 5 * time.Second}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	return d.DialContext(ctx, "tcp", address)
}

func (s *sender) close() {
	s.codec.Close()
	s.client.Close() // nolint:errcheck // the attacker ignores errors
}

func (s *sender) hello(ctx context.Context, host string, streams ...protocol.Stream) error {
	h := protocol.Hello{Host: host, Agent: "attack", Streams: streams}
	_, err := s.client.Call(ctx, protocol.MessageHello, h.Append(nil), nil, nil)
	return err
}

func (s *sender) append(ctx context.Context, id schema.StreamID, start int64, data string) (r protocol.Receipt, err error) {
	m := protocol.Batch{Stream: id, Range: schema.Range{Start: start, End: start + int64(len(data))}, Lines: strings.Count(data, "\n"), Compression: protocol.Zstd}
	s.codec.Encode(&m, []byte(data), nil)
	reply, err := s.client.Call(ctx, protocol.MessageAppend, m.AppendHead(nil), m.Body, nil)
	if err == nil {
		err = r.Decode(reply)
	}
	return r, err
}

func (s *sender) beat(ctx context.Context, h *protocol.Heartbeat) error {
	_, err := s.client.Call(ctx, protocol.MessageStatus, h.Append(nil), nil, nil)
	return err
}

package sasl

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/hbase/rpc"
)

// certificate creates a self-signed certificate for localhost, as a PEM file and for a server.
func certificate(t *testing.T, until time.Time) (file string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Unix(0, 0), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, secret := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	file = filepath.Join(t.TempDir(), "both.pem")
	if err := os.WriteFile(file, append(cert, secret...), 0o600); err != nil {
		t.Fatal(err)
	}
	if pair, err = tls.X509KeyPair(cert, secret); err != nil {
		t.Fatal(err)
	}
	return file, pair
}

// serve runs each for every connection until the test ends.
func serve(t *testing.T, each func(net.Conn)) rpc.Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			each(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return rpc.Server{Host: "localhost", Port: n}
}

func TestTLSErrorsNameTheCause(t *testing.T) {
	file, pair := certificate(t, time.Now().Add(time.Hour))
	oldFile, old := certificate(t, time.Unix(1, 0))
	shake := func(settings *tls.Config) rpc.Server {
		return serve(t, func(conn net.Conn) {
			s := tls.Server(conn, settings)
			if s.Handshake() == nil {
				_, _ = io.Copy(s, s)
			}
		})
	}
	good := shake(&tls.Config{Certificates: []tls.Certificate{pair}})
	expired := shake(&tls.Config{Certificates: []tls.Certificate{old}})
	// Limited to TLS 1.2 like HBase: with 1.3 the client would see the rejection only at its first
	// read.
	mutual := shake(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12})
	plain := serve(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "HBas? no, thank you") })
	mute := serve(t, func(net.Conn) {})
	for what, c := range map[string]struct {
		server rpc.Server
		config TLSConfig
		want   string
		is     error
	}{
		"good":                          {good, TLSConfig{AuthorityFile: file}, "", nil},
		"good, by both":                 {mutual, TLSConfig{AuthorityFile: file, CertificateFile: file}, "", nil},
		"another name":                  {good, TLSConfig{AuthorityFile: file, ServerName: "other.example.com"}, "is not for other.example.com", rpc.ErrSettings},
		"an unknown authority":          {good, TLSConfig{}, "give its authority's certificate", rpc.ErrSettings},
		"expired":                       {expired, TLSConfig{AuthorityFile: oldFile}, "has expired", rpc.ErrSettings},
		"ours is asked for":             {mutual, TLSConfig{AuthorityFile: file}, "it may want a certificate of ours", rpc.ErrSettings},
		"the server does not speak TLS": {plain, TLSConfig{AuthorityFile: file}, "does not speak it", rpc.ErrSettings},
		"the server says nothing":       {mute, TLSConfig{AuthorityFile: file}, "without an answer", rpc.ErrNoAnswer},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		cert, err := c.config.Certificate(ctx, c.server)
		cancel()
		switch {
		case c.want == "" && (err != nil || cert.DNSNames[0] != "localhost"):
			t.Errorf("%s: %v", what, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, c.is) || !errors.Is(err, errTLS)):
			t.Errorf("%s: %v; want %q in it", what, err, c.want)
		case err != nil && rpc.Classify(err) == rpc.Locate:
			t.Errorf("%s is tried for ever: %v", what, err)
		}
	}
}

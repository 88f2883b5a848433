package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/monitor"
)

// authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	path string
}

func newAuthority(t *testing.T, dir string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, path: filepath.Join(dir, "ca.pem")}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(3 * 365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	writePEM(t, a.path, "CERTIFICATE", a.sign(t, a.cert, &key.PublicKey))
	return a
}

func (a *authority) sign(t *testing.T, c *x509.Certificate, key *ecdsa.PublicKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// issue writes a certificate for host and its key to dir/NAME.pem and dir/NAME.key. One with a greater
// serial number expires later.
func (a *authority) issue(t *testing.T, dir, name, host string, serial int64) []string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{host}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(3*365*24*time.Hour + time.Duration(serial)*time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	certificate, private := filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	writePEM(t, private, "EC PRIVATE KEY", der)
	writePEM(t, certificate, "CERTIFICATE", a.sign(t, c, &key.PublicKey))
	return []string{"--tls-cert", certificate, "--tls-key", private, "--tls-ca", a.path}
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAnAgentWritesItsOwnHostOnly checks that an agent can send only lines of the host in its
// certificate.
func TestAnAgentWritesItsOwnHostOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir)
	address := freeAddress(t)
	log := filepath.Join(dir, "access.log")
	if err := os.WriteFile(log, []byte("a line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	collector := start(t, append(collectorArgs(filepath.Join(dir, "data"), address), ca.issue(t, dir, "c1", "c1", 2)...)...)
	certificate := ca.issue(t, dir, "web01", "web01", 3)
	status := func(data string) *monitor.Status {
		s, err := monitor.Read(statusPath(data))
		if err != nil || s.Sending == nil {
			return &monitor.Status{}
		}
		return &s
	}
	thief := filepath.Join(dir, "thief")
	other := start(t, append(agentArgs(thief, "web02", address, log), certificate...)...)
	other.await(t, func() bool { return strings.Contains(other.output(t), "may not write streams of host web02") })
	if err := other.end(t); err != nil {
		t.Error(err)
	}
	plain := start(t, agentArgs(filepath.Join(dir, "plain"), "web01", address, log)...)
	plain.await(t, func() bool { return strings.Contains(plain.output(t), "does it require TLS?") })
	if err := plain.end(t); err != nil {
		t.Error(err)
	}
	own := filepath.Join(dir, "own")
	agent := start(t, append(agentArgs(own, "web01", address, log), certificate...)...)
	agent.await(t, func() bool {
		s := status(own)
		return s.Sending != nil && s.Sending.Connected && s.Lines == 1 && s.Sending.UnacknowledgedBytes == 0
	})
	if !testing.Short() { // an agent looks for a renewed certificate every 10 s
		expires := func() time.Time {
			s, err := monitor.Read(statusPath(filepath.Join(dir, "data")))
			if err != nil || s.Health == nil {
				return time.Time{}
			}
			return s.Health.Metrics["web01"].CertificateExpires
		}
		agent.await(t, func() bool { return !expires().IsZero() })
		before := expires()
		ca.issue(t, dir, "web01", "web01", 4)
		agent.await(t, func() bool { return expires().After(before) })
	}
	if err := errors.Join(agent.end(t), collector.end(t)); err != nil {
		t.Fatal(err)
	}
	sameLines(t, "archive", archived(t, filepath.Join(dir, "data", "archive")), []byte("a line\n"))
}

// TestRenewedCertificatesAreTaken checks that renewed certificates are used without a restart, and
// that an incomplete renewal changes nothing.
func TestRenewedCertificatesAreTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir)
	ca.issue(t, dir, "c1", "c1", 2)
	files, err := tlsFlags{TLSCert: filepath.Join(dir, "c1.pem"), TLSKey: filepath.Join(dir, "c1.key"), TLSCA: ca.path}.files(false)
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		t.Helper()
		c, err := files.read()
		if err != nil {
			t.Fatal(err)
		}
		return c.Certificates[0].Leaf.SerialNumber.Int64()
	}
	if n := serial(); n != 2 {
		t.Errorf("serial %d", n)
	}
	first := files.certificate()
	whole, err := os.ReadFile(filepath.Join(dir, "c1.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "c1.pem"), whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 2 {
		t.Errorf("half a certificate: serial %d", n)
	}
	if !bytes.Equal(files.certificate(), first) {
		t.Error("half a certificate counts as a renewed one")
	}
	ca.issue(t, dir, "c1", "c1", 4)
	if n := serial(); n != 4 {
		t.Errorf("renewed: serial %d", n)
	}
	if bytes.Equal(files.certificate(), first) {
		t.Error("the renewed certificate is not detected")
	}
}

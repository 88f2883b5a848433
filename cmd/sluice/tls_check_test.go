package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/monitor"
)

// issueAs writes a certificate that change has modified, and returns its flags.
func (a *authority) issueAs(t *testing.T, dir, name string, change func(*x509.Certificate)) tlsFlags {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(9), DNSNames: []string{"web01"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	change(c)
	f := tlsFlags{TLSCert: filepath.Join(dir, name+".pem"), TLSKey: filepath.Join(dir, name+".key"), TLSCA: a.path}
	writePEM(t, f.TLSKey, "EC PRIVATE KEY", der)
	writePEM(t, f.TLSCert, "CERTIFICATE", a.sign(t, c, &key.PublicKey))
	return f
}

func TestACertificateThatCannotBeUsedIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir)
	for _, test := range []struct {
		name   string
		change func(*x509.Certificate)
		host   string
		wrong  string
		soon   string
	}{
		{"good", func(*x509.Certificate) {}, "WEB01.", "", ""},
		{"any purpose", func(c *x509.Certificate) { c.ExtKeyUsage = nil }, "web01", "", ""},
		{"expired", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, "web01", "expired on", ""},
		{"young", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }, "web01", "is not valid before", ""},
		{"server", func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[1:] }, "web01", "is not for clientAuth", ""},
		{"soon", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-90*24*time.Hour), time.Now().Add(73*time.Hour)
		}, "web01", "", "in 3 days"},
		{"another host", func(*x509.Certificate) {}, "web02", "not for host web02", ""},
		{"a collector", func(*x509.Certificate) {}, "", "", ""},
	} {
		files, err := ca.issueAs(t, dir, strings.ReplaceAll(test.name, " ", "-"), test.change).files(false)
		if err != nil {
			t.Fatal(err)
		}
		var wrong, soon []string
		for _, p := range files.check(time.Now(), x509.ExtKeyUsageClientAuth, test.host) {
			if p.Level == monitor.Failing {
				wrong = append(wrong, p.Text)
			} else {
				soon = append(soon, p.Text)
			}
		}
		for _, x := range []struct{ got, want string }{{strings.Join(wrong, "; "), test.wrong}, {strings.Join(soon, "; "), test.soon}} {
			if (x.got == "") != (x.want == "") || !strings.Contains(x.got, x.want) {
				t.Errorf("%s: %q, want %q", test.name, x.got, x.want)
			}
		}
	}
	if problems := (*tlsFiles)(nil).check(time.Now(), x509.ExtKeyUsageClientAuth, "web01"); len(problems) > 0 {
		t.Errorf("without TLS: %q", problems)
	}
}

// TestACollectorReportsThatItsCertificateHasExpired checks the collector's log and /health.
func TestACollectorReportsThatItsCertificateHasExpired(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := newAuthority(t, dir).issueAs(t, dir, "c1", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	data := filepath.Join(dir, "data")
	collector := start(t, append(collectorArgs(data, freeAddress(t)), "--tls-cert", f.TLSCert, "--tls-key", f.TLSKey, "--tls-ca", f.TLSCA)...)
	collector.await(t, func() bool {
		s, err := monitor.Read(statusPath(data))
		return err == nil && s.Health != nil && !s.Health.Well() && len(s.Health.Process.Reasons) == 1 && strings.Contains(s.Health.Process.Reasons[0], "expired on")
	})
	collector.await(t, func() bool { return strings.Contains(collector.output(t), "certificate unusable") })
	if err := collector.end(t); err != nil {
		t.Error(err)
	}
}

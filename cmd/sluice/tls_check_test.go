package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
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
		wrong, soon := problemTexts(files.check(time.Now(), x509.ExtKeyUsageClientAuth, test.host))
		for _, x := range []struct{ got, want string }{{wrong, test.wrong}, {soon, test.soon}} {
			if (x.got == "") != (x.want == "") || !strings.Contains(x.got, x.want) {
				t.Errorf("%s: %q, want %q", test.name, x.got, x.want)
			}
		}
	}
	if problems := (*tlsFiles)(nil).check(time.Now(), x509.ExtKeyUsageClientAuth, "web01"); len(problems) > 0 {
		t.Errorf("without TLS: %q", problems)
	}
}

// renewed returns the PEM text of a certificate of the authority, with the same key, that is valid
// for that long.
func (a *authority) renewed(t *testing.T, left time.Duration) []byte {
	t.Helper()
	cert := *a.cert
	cert.NotAfter = time.Now().Add(left)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.sign(t, &cert, &a.key.PublicKey)})
}

// The authority that has signed the certificate must be reported, whichever others are in the file.
// Another one is a warning, as only peers can be of it.
func TestTheExpiryOfEachAuthorityIsReported(t *testing.T) {
	t.Parallel()
	const days, gone, years = 48*time.Hour + time.Minute, -time.Hour, 3 * 365 * 24 * time.Hour
	dir := t.TempDir()
	own, other := newAuthority(t, t.TempDir()), newAuthority(t, t.TempDir())
	other.cert.Subject.CommonName = "other"
	many := [][]byte{own.renewed(t, years), other.renewed(t, days)}
	for i := range maxOwnAuthorities {
		public := newAuthority(t, t.TempDir())
		public.cert.Subject.CommonName = fmt.Sprint("public ", i)
		many = append(many, public.renewed(t, years))
	}
	for _, test := range []struct {
		name        string
		signer      *authority
		file        [][]byte
		wrong, soon string
	}{
		{"both last", own, [][]byte{own.renewed(t, years), other.renewed(t, years)}, "", ""},
		{"own expires, first in the file", own, [][]byte{own.renewed(t, days), other.renewed(t, years)}, "the authority in ca.pem expires on", ""},
		{"own expires, last in the file", own, [][]byte{other.renewed(t, years), own.renewed(t, days)}, "the authority in ca.pem expires on", ""},
		{"own has expired", own, [][]byte{own.renewed(t, gone), other.renewed(t, years)}, "the authority in ca.pem expired on", ""},
		{"own expires, and is renewed with its key", own, [][]byte{own.renewed(t, days), own.renewed(t, years)}, "", ""},
		{"another expires", own, [][]byte{own.renewed(t, years), other.renewed(t, days)}, "", "the authority CN=other in ca.pem expires on"},
		{"another has expired", own, [][]byte{other.renewed(t, gone), own.renewed(t, years)}, "", "remove it"},
		{"another expires, and is renewed", own, [][]byte{other.renewed(t, years), own.renewed(t, years), other.renewed(t, days)}, "", ""},
		{"the only one has not signed it", own, [][]byte{other.renewed(t, days)}, "the authority in ca.pem expires on", ""},
		{"another of very many expires", own, many, "", ""},
		{"another of many expires", own, many[:maxOwnAuthorities], "", "CN=other"},
		{"none has signed it", newAuthority(t, t.TempDir()), [][]byte{other.renewed(t, days), own.renewed(t, years)}, "", "CN=other"},
	} {
		f := test.signer.issueAs(t, dir, "own", func(*x509.Certificate) {})
		f.TLSCA = filepath.Join(dir, "ca.pem")
		if err := os.WriteFile(f.TLSCA, bytes.Join(test.file, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		files, err := f.files(false)
		if err != nil {
			t.Fatal(err)
		}
		wrong, soon := problemTexts(files.check(time.Now(), x509.ExtKeyUsageClientAuth, "web01"))
		for _, x := range []struct{ got, want string }{{wrong, test.wrong}, {soon, test.soon}} {
			if got := strings.ReplaceAll(x.got, dir+"/", ""); (got == "") != (x.want == "") || !strings.Contains(got, x.want) {
				t.Errorf("%s: %q, want %q", test.name, got, x.want)
			}
		}
	}
}

// problemTexts returns the texts of the errors and of the warnings.
func problemTexts(problems []monitor.Problem) (wrong, soon string) {
	var errs, warnings []string
	for _, p := range problems {
		if p.Level == monitor.Failing {
			errs = append(errs, p.Text)
		} else {
			warnings = append(warnings, p.Text)
		}
	}
	return strings.Join(errs, "; "), strings.Join(warnings, "; ")
}

// An intermediate certificate ends the validity of the one that it has signed.
func TestTheExpiryOfAnIntermediateCertificateIsReported(t *testing.T) {
	t.Parallel()
	for left, want := range map[time.Duration]string{48*time.Hour + time.Minute: "intermediate certificate", 3 * 365 * 24 * time.Hour: ""} {
		dir := t.TempDir()
		root, middle := newAuthority(t, dir), newAuthority(t, t.TempDir())
		middle.cert.Subject.CommonName, middle.cert.NotAfter = "middle", time.Now().Add(left)
		f := middle.issueAs(t, dir, "own", func(*x509.Certificate) {})
		f.TLSCA = root.path
		leaf, err := os.ReadFile(f.TLSCert)
		if err != nil {
			t.Fatal(err)
		}
		signed := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.sign(t, middle.cert, &middle.key.PublicKey)})
		if err := os.WriteFile(f.TLSCert, append(leaf, signed...), 0o600); err != nil {
			t.Fatal(err)
		}
		files, err := f.files(false)
		if err != nil {
			t.Fatal(err)
		}
		wrong, soon := problemTexts(files.check(time.Now(), x509.ExtKeyUsageClientAuth, "web01"))
		if (wrong == "") != (want == "") || !strings.Contains(wrong, want) || soon != "" {
			t.Errorf("%s left: %q, %q, want %q", left, wrong, soon, want)
		}
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

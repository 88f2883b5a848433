package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"sluice/ingest/receiver"
	"sluice/monitor"
)

// check returns the problems of this process's certificate, including an expiry in the near future,
// and those of the authorities. use is the extended key usage that the peer requires; host is a name
// that the certificate must have, "" for any.
func (t *tlsFiles) check(now time.Time, use x509.ExtKeyUsage, host string) (problems []monitor.Problem) {
	if t == nil {
		return nil
	}
	config, err := t.read()
	if err != nil {
		return []monitor.Problem{monitor.Expired.New(err.Error())}
	}
	if len(config.Certificates) == 0 {
		return t.checkAuthorities(now, nil)
	}
	leaf := config.Certificates[0].Leaf
	add := func(format string, args ...any) {
		problems = append(problems, monitor.Expired.New(fmt.Sprintf("certificate %s ", t.flags.TLSCert)+fmt.Sprintf(format, args...)))
	}
	if now.Before(leaf.NotBefore) {
		add("is not valid before %s: look at this machine's clock, or wait", leaf.NotBefore.UTC().Format("2006-01-02 15:04 UTC"))
	}
	if p := monitor.CertificateProblem(now, leaf.NotBefore, leaf.NotAfter, "certificate "+t.flags.TLSCert); p != nil {
		problems = append(problems, *p)
	}
	problems = append(problems, t.checkAuthorities(now, presented(config.Certificates[0]))...)
	if usages := leaf.ExtKeyUsage; len(usages) > 0 && !slices.Contains(usages, use) && !slices.Contains(usages, x509.ExtKeyUsageAny) {
		purpose := map[x509.ExtKeyUsage]string{x509.ExtKeyUsageServerAuth: "serverAuth", x509.ExtKeyUsageClientAuth: "clientAuth"}[use]
		add("is not for %s, so the other side rejects it: issue it with extendedKeyUsage=%s", purpose, purpose)
	}
	names := leaf.DNSNames
	if len(names) == 0 {
		names = []string{leaf.Subject.CommonName}
	}
	if host != "" && !slices.ContainsFunc(names, func(name string) bool { return receiver.SameName(name, host) }) {
		add("is for %q, not for host %s, so a collector rejects it: give --host, or a certificate with that name", names, host)
	}
	return problems
}

// maxOwnAuthorities is the number of authorities in a file beyond which it is taken for a list of the
// public ones. Of these some expire every year, and hardly any has signed a peer's certificate.
const maxOwnAuthorities = 20

// checkAuthorities returns the problems of the certificates that a peer needs to verify this
// process's own, which is the first one of chain, and of those that verify peers. chain is empty for
// a process without a certificate.
//
// The one that has signed this process's certificate is an error as that itself is. Another one may
// have signed those of peers, or none any more, after a renewal: it is a warning, unless the file has
// very many.
func (t *tlsFiles) checkAuthorities(now time.Time, chain []*x509.Certificate) (problems []monitor.Problem) {
	t.mu.Lock()
	authorities := t.authorities
	t.mu.Unlock()
	if len(authorities) == 0 {
		return nil
	}
	expiry := func(c *x509.Certificate, what string) *monitor.Problem {
		return monitor.CertificateProblem(now, time.Time{}, c.NotAfter, what)
	}
	for i, c := range chain {
		if i > 0 && !slices.ContainsFunc(authorities, func(a *x509.Certificate) bool { return sameKey(a, c) }) {
			if p := expiry(c, "the intermediate certificate in "+t.flags.TLSCert); p != nil {
				problems = append(problems, *p)
			}
		}
	}
	own := ownAuthority(chain, authorities)
	if p := expiry(own, "the authority in "+t.flags.TLSCA); p != nil {
		problems = append(problems, *p)
	}
	if len(authorities) > maxOwnAuthorities {
		return problems
	}
	for _, c := range authorities {
		if c == own || slices.ContainsFunc(authorities, func(a *x509.Certificate) bool { return sameKey(a, c) && a.NotAfter.After(c.NotAfter) }) {
			continue
		}
		if p := expiry(c, fmt.Sprintf("the authority %s in %s", c.Subject, t.flags.TLSCA)); p != nil {
			problems = append(problems, monitor.ExpiresSoon.New(p.Text+", or remove it from the file if it has signed no peer's certificate"))
		}
	}
	return problems
}

// ownAuthority returns the authority that has signed a certificate of chain, or the last to expire
// of several. If there is none, the peers may know another one, and it considers all.
func ownAuthority(chain, authorities []*x509.Certificate) *x509.Certificate {
	signers := slices.DeleteFunc(slices.Clone(authorities), func(a *x509.Certificate) bool {
		return !slices.ContainsFunc(chain, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawIssuer, a.RawSubject) && c.CheckSignatureFrom(a) == nil
		})
	})
	if len(signers) == 0 {
		signers = authorities
	}
	return slices.MaxFunc(signers, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
}

// sameKey reports whether two certificates of authorities verify the same signatures: one is a
// renewal of the other.
func sameKey(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubject, b.RawSubject) && bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

// presented returns a process's certificate, and the intermediate ones after it.
func presented(own tls.Certificate) []*x509.Certificate {
	all := []*x509.Certificate{own.Leaf}
	for _, der := range own.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			all = append(all, c)
		}
	}
	return all
}

// parseCertificates returns the certificates in a PEM text, each once.
func parseCertificates(text []byte) (all []*x509.Certificate) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err == nil && !slices.ContainsFunc(all, c.Equal) {
			all = append(all, c)
		}
	}
	return all
}

// logCertificate logs the problems that check returned, when the process starts.
func logCertificate(log *slog.Logger, problems []monitor.Problem) {
	for _, p := range problems {
		if p.Level == monitor.Failing {
			log.Error("certificate unusable or about to expire", "reason", p.Text)
		} else {
			log.Warn("certificate expires soon", "reason", p.Text)
		}
	}
}

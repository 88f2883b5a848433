package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"sluice/ingest/receiver"
	"sluice/monitor"
)

// check returns the problems of this process's certificate, including an expiry in the near future.
// use is the extended key usage that the peer requires; host is a name that the certificate must
// have, "" for any.
func (t *tlsFiles) check(now time.Time, use x509.ExtKeyUsage, host string) (problems []monitor.Problem) {
	if t == nil || t.flags.TLSCert == "" {
		return nil
	}
	config, err := t.read()
	if err != nil {
		return []monitor.Problem{monitor.Expired.New(err.Error())}
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
	if p := monitor.CertificateProblem(now, time.Time{}, t.authorityExpires(), "the authority in "+t.flags.TLSCA); p != nil {
		problems = append(problems, *p)
	}
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

// authorityExpires returns when the last of the authorities' certificates expires; during a renewal
// the file also contains the old one. Zero: there is none.
func (t *tlsFiles) authorityExpires() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.authority
}

// lastExpiry returns when the last of the certificates in a PEM text expires. Zero: there is none.
func lastExpiry(text []byte) (last time.Time) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && c.NotAfter.After(last) {
			last = c.NotAfter
		}
	}
	return last
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

package main

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"sluice/ingest/receiver"
)

// expiresSoon so long before its end a certificate is to be renewed.
const expiresSoon = 14 * 24 * time.Hour

// check says what is wrong with our own certificate, and what soon will be. use is what the
// other side wants it to be for; host is a name that it must have, "" for any.
func (t *tlsFiles) check(now time.Time, use x509.ExtKeyUsage, host string) (wrong, soon []string) {
	if t == nil || t.flags.TLSCert == "" {
		return nil, nil
	}
	config, err := t.read()
	if err != nil {
		return []string{err.Error()}, nil
	}
	leaf := config.Certificates[0].Leaf
	add := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("certificate %s ", t.flags.TLSCert)+fmt.Sprintf(format, args...))
	}
	const day = "2006-01-02 15:04 UTC"
	switch left := leaf.NotAfter.Sub(now); {
	case now.Before(leaf.NotBefore):
		add("is not valid before %s: look at this machine's clock, or wait", leaf.NotBefore.UTC().Format(day))
	case left <= 0:
		add("expired on %s: renew it", leaf.NotAfter.UTC().Format(day))
	case left < expiresSoon:
		soon = append(soon, fmt.Sprintf("certificate %s expires on %s, in %d days: renew it", t.flags.TLSCert, leaf.NotAfter.UTC().Format(day), int(left.Hours()/24)))
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
	return wrong, soon
}

// logCertificate logs what check says, at the start.
func logCertificate(log *slog.Logger, wrong, soon []string) {
	for _, text := range wrong {
		log.Error("certificate unusable", "reason", text)
	}
	for _, text := range soon {
		log.Warn("certificate expires soon", "reason", text)
	}
}

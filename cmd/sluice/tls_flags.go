package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// tlsFlags name this process's certificate and the authorities of its peers. The files are read
// again when they change.
type tlsFlags struct {
	TLSCert string `name:"tls-cert" placeholder:"FILE" help:"TLS: file of this process's certificate, in PEM. The name in an agent's certificate is its host."`
	TLSKey  string `name:"tls-key" placeholder:"FILE" help:"TLS: file of the certificate's key, in PEM."`
	TLSCA   string `name:"tls-ca" placeholder:"FILE" help:"TLS: file of the authorities that sign the peer's certificate, in PEM."`
}

// files reads the certificates. It returns nil if no flag is set, for connections without TLS. If
// anonymous is true, --tls-ca alone is sufficient, because this side need not present a
// certificate.
func (f tlsFlags) files(anonymous bool) (*tlsFiles, error) {
	if f == (tlsFlags{}) {
		return nil, nil
	}
	only := tlsFlags{TLSCA: f.TLSCA}
	if (f.TLSCert == "" || f.TLSKey == "" || f.TLSCA == "") && (!anonymous || f != only) {
		return nil, usage("--tls-cert, --tls-key and --tls-ca must be given together: both sides present a certificate")
	}
	t := &tlsFiles{flags: f}
	if _, err := t.read(); err != nil {
		return nil, usageError{err}
	}
	return t, nil
}

// tlsFiles reads certificates, which may be renewed while the process runs. Its methods are safe
// for concurrent use.
type tlsFiles struct {
	flags tlsFlags

	mu     sync.Mutex
	stamps [3]stamp
	config *tls.Config
	// authorities are the certificates in --tls-ca, each once.
	authorities []*x509.Certificate
}

// stamp is the size and the modification time of a file, to detect changes.
type stamp struct {
	bytes    int64
	modified time.Time
}

// read returns the configuration for both sides, and reads the files again if they changed. If they
// cannot be used, for example during a renewal, it returns the previous configuration; it returns
// an error only if there is none.
func (t *tlsFiles) read() (*tls.Config, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var now [3]stamp
	for i, path := range []string{t.flags.TLSCert, t.flags.TLSKey, t.flags.TLSCA} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return t.config, t.unless(err)
		}
		now[i] = stamp{info.Size(), info.ModTime()}
	}
	if t.config != nil && now == t.stamps {
		return t.config, nil
	}
	var own []tls.Certificate
	if t.flags.TLSCert != "" {
		certificate, err := tls.LoadX509KeyPair(t.flags.TLSCert, t.flags.TLSKey)
		if err != nil {
			return t.config, t.unless(fmt.Errorf("--tls-cert %s, --tls-key %s: %w", t.flags.TLSCert, t.flags.TLSKey, err))
		}
		own = append(own, certificate)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: own}
	var authorities []*x509.Certificate
	// Without --tls-ca a server requests no client certificates, because they would be verified
	// with the system's authorities, which sign certificates for anyone.
	if t.flags.TLSCA != "" {
		text, err := os.ReadFile(t.flags.TLSCA)
		if err != nil {
			return t.config, t.unless(err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return t.config, t.unless(errors.New("--tls-ca " + t.flags.TLSCA + ": it has no certificate in PEM"))
		}
		authorities = parseCertificates(text)
		config.RootCAs, config.ClientCAs, config.ClientAuth = pool, pool, tls.RequireAndVerifyClientCert
	}
	t.stamps, t.config, t.authorities = now, config, authorities
	return t.config, nil
}

// certificate returns the certificate that is in use now, in DER; nil: none.
func (t *tlsFiles) certificate() []byte {
	if t == nil || t.flags.TLSCert == "" {
		return nil
	}
	config, err := t.read()
	if err != nil {
		return nil
	}
	return config.Certificates[0].Certificate[0]
}

// unless returns nil if there is a previous configuration, which remains in use; otherwise it
// returns err.
func (t *tlsFiles) unless(err error) error {
	if t.config != nil {
		return nil
	}
	return err
}

// server returns the configuration of a server, which reads changed files for each connection. all
// is true if clients without a certificate are rejected.
func (t *tlsFiles) server(all bool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		config, err := t.read()
		if err == nil && !all && config.ClientCAs != nil {
			config = config.Clone()
			config.ClientAuth = tls.VerifyClientCertIfGiven
		}
		return config, err
	}}
}

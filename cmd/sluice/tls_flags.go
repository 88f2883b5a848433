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

// tlsFlags say who we are to those on the other side of a connection, and whom we
// believe. The files are read again when they change.
type tlsFlags struct {
	TLSCert string `name:"tls-cert" placeholder:"FILE" help:"TLS: file of this process's certificate, in PEM. The name in an agent's certificate is its host."`
	TLSKey  string `name:"tls-key" placeholder:"FILE" help:"TLS: file of the certificate's key, in PEM."`
	TLSCA   string `name:"tls-ca" placeholder:"FILE" help:"TLS: file of the authorities that sign the peer's certificate, in PEM."`
}

// files are the certificates, nil for connections without TLS. anonymous: --tls-ca
// alone will do, we need show none.
func (f tlsFlags) files(anonymous bool) (*tlsFiles, error) {
	if f == (tlsFlags{}) {
		return nil, nil
	}
	only := tlsFlags{TLSCA: f.TLSCA}
	if (f.TLSCert == "" || f.TLSKey == "" || f.TLSCA == "") && (!anonymous || f != only) {
		return nil, usage("--tls-cert, --tls-key and --tls-ca go together: both sides show a certificate")
	}
	t := &tlsFiles{flags: f}
	if _, err := t.read(); err != nil {
		return nil, usageError{err}
	}
	return t, nil
}

// tlsFiles are certificates that may be renewed while we run.
type tlsFiles struct {
	flags tlsFlags

	mu     sync.Mutex
	stamps [3]stamp
	config *tls.Config
	// authority is when the last certificate in --tls-ca expires.
	authority time.Time
}

// stamp changes when a file does.
type stamp struct {
	bytes    int64
	modified time.Time
}

// read returns the present files' configuration, for both sides. Files that cannot be
// used, half of a renewal perhaps, leave the last one in force.
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
	var authority time.Time
	if t.flags.TLSCA != "" { // without, a server asks for no certificate: the system's authorities sign anybody's
		text, err := os.ReadFile(t.flags.TLSCA)
		if err != nil {
			return t.config, t.unless(err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return t.config, t.unless(errors.New("--tls-ca " + t.flags.TLSCA + ": it holds no certificate in PEM"))
		}
		authority = lastExpiry(text)
		config.RootCAs, config.ClientCAs, config.ClientAuth = pool, pool, tls.RequireAndVerifyClientCert
	}
	t.stamps, t.config, t.authority = now, config, authority
	return t.config, nil
}

// unless is err, unless there is a configuration that goes on.
func (t *tlsFiles) unless(err error) error {
	if t.config != nil {
		return nil
	}
	return err
}

// server is the configuration of the side that is connected to. all: who shows no
// certificate is not spoken to.
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

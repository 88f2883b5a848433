package sasl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"sluice/hadoop"
)

// TLSConfig has the trusted authorities and the client's certificate. Files are in PEM.
type TLSConfig struct {
	// AuthorityFile has the certificates of the authorities that sign the servers' certificates;
	// empty: the system's.
	AuthorityFile string
	// CertificateFile and KeyFile are the client's, for servers that require one
	// (hbase.server.netty.tls.client.auth.mode). KeyFile may be empty if the key is in
	// CertificateFile.
	CertificateFile, KeyFile string
	// ServerName is the name in all servers' certificates; empty: each server's host name.
	ServerName string
}

// errTLS is returned if the TLS handshake with the server failed.
var errTLS = errors.New("TLS")

// TLS returns a handshake that wraps another one in TLS. The files are read once.
func TLS(c TLSConfig, next hadoop.Handshake) (hadoop.Handshake, error) {
	settings, err := c.load()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, raw net.Conn, server hadoop.Server) (net.Conn, error) {
		conn, err := c.doHandshake(ctx, settings, raw, server)
		if err != nil {
			return nil, err
		}
		return next(ctx, conn, server)
	}, nil
}

// Certificate returns the verified certificate of a server.
func (c TLSConfig) Certificate(ctx context.Context, server hadoop.Server) (*x509.Certificate, error) {
	settings, err := c.load()
	if err != nil {
		return nil, err
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", server.Address())
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	conn, err := c.doHandshake(ctx, settings, raw, server)
	if err != nil {
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates[0], nil
}

// load reads the files.
func (c TLSConfig) load() (*tls.Config, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.AuthorityFile != "" {
		pem, err := os.ReadFile(c.AuthorityFile)
		if err != nil {
			return nil, fmt.Errorf("the certificates of authorities: %w", err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM (-----BEGIN CERTIFICATE-----)", c.AuthorityFile)
		}
	}
	if c.CertificateFile != "" {
		own, err := tls.LoadX509KeyPair(c.CertificateFile, first(c.KeyFile, c.CertificateFile))
		if err != nil {
			return nil, fmt.Errorf("the client certificate %s: %w", c.CertificateFile, err)
		}
		settings.Certificates = []tls.Certificate{own}
	}
	return settings, nil
}

func (c TLSConfig) doHandshake(ctx context.Context, settings *tls.Config, raw net.Conn, server hadoop.Server) (*tls.Conn, error) {
	mine := settings.Clone()
	mine.ServerName = first(c.ServerName, server.Host)
	conn := tls.Client(raw, mine)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, explainTLS(err, mine.ServerName)
	}
	return conn, nil
}

func explainTLS(err error, name string) error {
	var plain tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	var invalid x509.CertificateInvalidError
	var alert *net.OpError // its text is the server's alert: crypto/tls has no type for it
	text := ""
	switch {
	case errors.As(err, &plain):
		text = "the server does not speak it: leave out the TLS settings, or set hbase.server.netty.tls.enabled on it"
	case errors.As(err, &unknown):
		text = "the server's certificate is signed by an unknown authority: give its authority's certificate"
	case errors.As(err, &wrongName):
		text = "the server's certificate is not for " + name + ": name the server as its certificate does"
	case errors.As(err, &invalid):
		text = "the server's certificate cannot be used"
	case errors.As(err, &alert) && alert.Op == "remote error":
		text = "the server refuses us: it may want a certificate of ours, or another one"
	case ended(err):
		return fmt.Errorf("%w: %w", errTLS, hadoop.ErrNoAnswer)
	default:
		return fmt.Errorf("%w: %w", errTLS, err)
	}
	return fmt.Errorf("%w: %s: %w", errTLS, text, settingsError(err.Error()))
}

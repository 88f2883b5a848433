package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

// statusAccess configures TLS and authentication of the status server.
type statusAccess struct {
	StatusTLSCert   string `name:"status-tls-cert" placeholder:"FILE" help:"Serve --status-listen with TLS: file of the certificate, in PEM. It is read again when it changes."`
	StatusTLSKey    string `name:"status-tls-key" placeholder:"FILE" help:"File of the certificate's key, in PEM."`
	StatusTLSCA     string `name:"status-tls-ca" placeholder:"FILE" help:"Certificates of the authorities that sign client certificates, in PEM. A client with such a certificate is admitted; without --status-token-file, every client needs one."`
	StatusTokenFile string `name:"status-token-file" placeholder:"FILE" help:"File with a token of at least 16 characters. A client must send it: Authorization: Bearer TOKEN, or as the password of any user name (browsers). The file is read for each request."`
	InsecureStatus  bool   `help:"Serve --status-listen on a network address without TLS or authentication, for example behind a proxy that authenticates."`
}

const (
	minTokenBytes = 16
	maxTokenBytes = 4096
)

// check returns an error if the flags contradict each other, or do not protect a server at an
// address outside the loopback network. flag is the flag of that address, for messages.
func (f *statusAccess) check(flag string, address *net.TCPAddr) error {
	if (f.StatusTLSCert == "") != (f.StatusTLSKey == "") {
		return usage("--status-tls-cert and --status-tls-key must be given together")
	}
	if f.StatusTLSCA != "" && f.StatusTLSCert == "" {
		return usage("--status-tls-ca needs --status-tls-cert and --status-tls-key: a client presents a certificate only to a server that has one")
	}
	if f.StatusTokenFile != "" {
		if _, err := f.token(); err != nil {
			return usage("--status-token-file: %w\nhint: make one with `openssl rand -hex 24`, readable by this user only", err)
		}
	}
	if f.InsecureStatus || address.IP.IsLoopback() {
		return nil
	}
	const hint = "--status-tls-cert and --status-tls-key, and --status-token-file or --status-tls-ca; or --insecure-status behind a proxy that authenticates"
	switch {
	case f.StatusTLSCert == "":
		return usage("%s is a network address, and the port has no TLS\nhint: give %s", flag, hint)
	case f.StatusTokenFile == "" && f.StatusTLSCA == "":
		return usage("%s is a network address, and the port has no authentication: every client could read host names, paths and errors\nhint: give %s", flag, hint)
	}
	return nil
}

// token reads the token file. Surrounding white space is removed; a token that is too short or too
// long is an error.
func (f *statusAccess) token() ([]byte, error) {
	file, err := os.Open(f.StatusTokenFile)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxTokenBytes+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if text = bytes.TrimSpace(text); len(text) < minTokenBytes || len(text) > maxTokenBytes {
		return nil, fmt.Errorf("%s holds %d characters, want %d to %d", f.StatusTokenFile, len(text), minTokenBytes, maxTokenBytes)
	}
	return text, nil
}

// tls returns the TLS configuration of the server. nil: no TLS.
func (f *statusAccess) tls() (*tls.Config, error) {
	if f.StatusTLSCert == "" {
		return nil, nil
	}
	files := &tlsFiles{flags: tlsFlags{TLSCert: f.StatusTLSCert, TLSKey: f.StatusTLSKey, TLSCA: f.StatusTLSCA}}
	if _, err := files.read(); err != nil {
		return nil, usage("--status-tls-cert: %w", err)
	}
	return files.server(f.StatusTokenFile == ""), nil
}

// handler serves requests of clients that have a certificate that TLS has verified, or that send
// the token. Without --status-token-file it serves all requests: if client certificates are
// required, TLS has already rejected clients without one.
func (f *statusAccess) handler(next http.Handler) http.Handler {
	if f.StatusTokenFile == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 || f.knows(r) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="sluice: any user, the token as password", charset="UTF-8"`)
		http.Error(w, "send the token of --status-token-file: Authorization: Bearer TOKEN, or as the password of any user", http.StatusUnauthorized)
	})
}

// knows reports whether the request has the token. The token file is read for each request.
func (f *statusAccess) knows(r *http.Request) bool {
	sent, found := bearer(r)
	if !found {
		return false
	}
	token, err := f.token()
	if err != nil { // the file is being replaced or was removed: reject
		return false
	}
	// Hashes have a fixed length, so that the time of the comparison does not depend on what was
	// sent.
	a, b := sha256.Sum256(token), sha256.Sum256([]byte(sent))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// bearer returns the token of a request: the password of basic authentication or a bearer token.
func bearer(r *http.Request) (string, bool) {
	if _, password, basic := r.BasicAuth(); basic {
		return password, true
	}
	const scheme = "Bearer "
	header := r.Header.Get("Authorization")
	if len(header) > len(scheme) && strings.EqualFold(header[:len(scheme)], scheme) {
		return header[len(scheme):], true
	}
	return "", false
}

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/monitor"
)

func TestAStatusPortOnTheNetworkRequiresAuthentication(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token, short := file("token", "0123456789abcdef\n"), file("short", " 0123456789abcde\n")
	for _, test := range []struct {
		listen string
		access statusAccess
		want   string // "": allowed
	}{
		{":4142", statusAccess{}, ""},
		{"127.0.0.1:4142", statusAccess{}, ""},
		{"[::1]:4142", statusAccess{StatusTokenFile: token}, ""},
		{"10.0.0.5:4142", statusAccess{}, "has no TLS"},
		{"0.0.0.0:4142", statusAccess{StatusTokenFile: token}, "has no TLS"},
		{"[::]:4142", statusAccess{StatusTLSCert: "c", StatusTLSKey: "k"}, "has no authentication"},
		{"10.0.0.5:4142", statusAccess{StatusTLSCert: "c", StatusTLSKey: "k", StatusTokenFile: token}, ""},
		{"10.0.0.5:4142", statusAccess{StatusTLSCert: "c", StatusTLSKey: "k", StatusTLSCA: "a"}, ""},
		{"10.0.0.5:4142", statusAccess{InsecureStatus: true}, ""},
		{":4142", statusAccess{StatusTLSCert: "c"}, "must be given together"},
		{":4142", statusAccess{StatusTLSCA: "a"}, "--status-tls-ca needs"},
		{":4142", statusAccess{StatusTokenFile: short}, "holds 15 characters, want 16"},
		{":4142", statusAccess{StatusTokenFile: filepath.Join(dir, "none")}, "no such file"},
		{"10.0.0.5", statusAccess{}, "missing port"},
	} {
		f := statusFlags{statusAccess: test.access, StatusListen: test.listen, MaxLag: time.Minute}
		err := f.check()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %+v: %v, want %q", test.listen, test.access, err, test.want)
		}
	}
}

// secured starts a status server with TLS.
func secured(t *testing.T, access statusAccess) (url string) {
	t.Helper()
	f := statusFlags{statusAccess: access, StatusListen: freeAddress(t), MaxLag: time.Minute}
	if err := f.check(); err != nil {
		t.Fatal(err)
	}
	a := &app{ctx: t.Context(), log: slog.New(slog.DiscardHandler)}
	end, err := f.serve(a, watched{look: func() monitor.Fleet {
		return monitor.Fleet{Now: time.Now(), Hosts: map[string]monitor.Host{"web01": {}}}
	}, thresholds: monitor.Thresholds{SilentAfter: time.Minute, MaxLag: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return "https://" + f.StatusListen
}

// TestAStatusPortIsReadWithATokenOrACertificate also checks that without either no page, metric or
// file is served.
func TestAStatusPortIsReadWithATokenOrACertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, stranger := newAuthority(t, dir), newAuthority(t, t.TempDir())
	ca.issue(t, dir, "c1", "c1", 2)
	ca.issue(t, dir, "operator", "operator", 3)
	stranger.issue(t, dir, "stranger", "operator", 3)
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := statusAccess{StatusTLSCert: filepath.Join(dir, "c1.pem"), StatusTLSKey: filepath.Join(dir, "c1.key")}
	tokenOnly, certificateOnly, either := own, own, own
	tokenOnly.StatusTokenFile, certificateOnly.StatusTLSCA = token, ca.path
	either.StatusTokenFile, either.StatusTLSCA = token, ca.path

	roots := x509.NewCertPool()
	pem, err := os.ReadFile(ca.path)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatal(err)
	}
	// ask returns the status of the response. 0: the TLS handshake failed.
	ask := func(url, page, certificate string, set func(*http.Request)) int {
		t.Helper()
		config := &tls.Config{RootCAs: roots}
		if certificate != "" {
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certificate+".pem"), filepath.Join(dir, certificate+".key"))
			if err != nil {
				t.Fatal(err)
			}
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+page, nil)
		if err != nil {
			t.Fatal(err)
		}
		set(request)
		answer, err := client.Do(request)
		if err != nil {
			return 0
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	nothing := func(*http.Request) {}
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	basic := func(r *http.Request) { r.SetBasicAuth("anybody", "correct horse battery staple") }
	for _, test := range []struct {
		what        string
		access      statusAccess
		certificate string
		set         func(*http.Request)
		want        int
	}{
		{"nothing", tokenOnly, "", nothing, 401},
		{"the token", tokenOnly, "", bearer("correct horse battery staple"), 200},
		{"the token as a password", tokenOnly, "", basic, 200},
		{"another token", tokenOnly, "", bearer("correct horse battery stapl"), 401},
		{"an empty token", tokenOnly, "", bearer(""), 401},
		{"a certificate where none is asked for", tokenOnly, "operator", nothing, 401},
		{"no certificate", certificateOnly, "", nothing, 0},
		{"no certificate, but a token", certificateOnly, "", bearer("correct horse battery staple"), 0},
		{"a certificate", certificateOnly, "operator", nothing, 200},
		{"a certificate of another authority", certificateOnly, "stranger", nothing, 0},
		{"either: nothing", either, "", nothing, 401},
		{"either: a certificate", either, "operator", nothing, 200},
		{"either: the token", either, "", bearer("correct horse battery staple"), 200},
		{"either: a certificate of another authority", either, "stranger", nothing, 0},
	} {
		url := secured(t, test.access)
		for _, page := range []string{"/", "/health", "/metrics", "/host/web01", "/assets/page.js"} {
			if got := ask(url, page, test.certificate, test.set); got != test.want {
				t.Errorf("%s: %s: status %d, want %d", test.what, page, got, test.want)
			}
		}
	}
}

func TestTopReadsASecuredStatusPort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir)
	ca.issue(t, dir, "c1", "c1", 2)
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := secured(t, statusAccess{StatusTLSCert: filepath.Join(dir, "c1.pem"), StatusTLSKey: filepath.Join(dir, "c1.key"), StatusTokenFile: token})
	top := func(args ...string) (int, string) {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"top", "--once", "--status", url}, args...), nil, &stdout, &stderr)
		return code, stdout.String() + stderr.String()
	}
	if code, output := top("--tls-ca", ca.path, "--token-file", token); code != 0 || !strings.Contains(output, "web01") {
		t.Errorf("status %d: %s", code, output)
	}
	if code, output := top("--tls-ca", ca.path); code == 0 || !strings.Contains(output, "give --token-file") {
		t.Errorf("without the token: status %d: %s", code, output)
	}
	if code, output := top("--token-file", token); code == 0 || !strings.Contains(output, "certificate") {
		t.Errorf("without the authority: status %d: %s", code, output)
	}
}

// TestAClientCertificateThatWasNotRequestedIsNotTrusted checks that without --status-tls-ca
// client certificates are not verified with the system's authorities.
func TestAClientCertificateThatWasNotRequestedIsNotTrusted(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, dir)
	ca.issue(t, dir, "c1", "c1", 2)
	files := &tlsFiles{flags: tlsFlags{TLSCert: filepath.Join(dir, "c1.pem"), TLSKey: filepath.Join(dir, "c1.key")}}
	for _, all := range []bool{true, false} {
		config, err := files.server(all).GetConfigForClient(&tls.ClientHelloInfo{Conn: &net.TCPConn{}})
		if err != nil || config.ClientAuth != tls.NoClientCert {
			t.Errorf("all %v: %v, %v", all, config.ClientAuth, err)
		}
	}
}

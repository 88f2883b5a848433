package parse

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const httpdPath = "/usr/sbin/apache2"

// httpd is an Apache that is started for one test, in its own directory. It has one worker, so its
// logs are in the order of the requests.
type httpd struct {
	root string
	port string
	cmd  *exec.Cmd
	log  chan string // its error log, once it has ended
	over bool
}

const httpdConf = `
ServerRoot "%[1]s"
PidFile "%[1]s/pid"
DefaultRuntimeDir "%[1]s"
ErrorLog /proc/self/fd/2
LogLevel notice
ServerName www.example.com:80
Listen 127.0.0.1:%[2]s
Listen [::1]:%[2]s
%[3]s
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
StartServers 1
MinSpareServers 1
MaxSpareServers 1
MaxRequestWorkers 1
GracefulShutdownTimeout 10
%[4]s
DocumentRoot "%[1]s/htdocs"
HttpProtocolOptions Unsafe LenientMethods Allow0.9
AllowEncodedSlashes On
AcceptFilter http none
KeepAliveTimeout 300
RequestReadTimeout header=5 body=5
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1 ::1
Redirect 302 /old http://www.example.com/new
SetEnv COLOUR "deep \"red\""
Header set X-Odd "a \"quoted\" value"
<Directory "%[1]s/htdocs">
  Require all granted
  DirectoryIndex index.html
</Directory>
<Location /private>
  AuthType Basic
  AuthName private
  AuthBasicProvider file
  AuthUserFile "%[1]s/users"
  Require valid-user
</Location>
`

// startHttpd starts Apache with a log of each of the formats, called by the
// map's keys, and with pages by their paths, or skips the test where there is
// no Apache.
func startHttpd(t *testing.T, formats, pages map[string]string) *httpd {
	t.Helper()
	if _, err := os.Stat(httpdPath); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, and this is where the parser is checked against it", httpdPath)
		}
		t.Skipf("needs Debian's apache2: %v", err)
	}
	root := t.TempDir()
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil { // the worker is another user
		t.Fatal(err)
	}
	h := &httpd{root: root, port: freePort(t), log: make(chan string, 1)}
	user := ""
	if os.Geteuid() == 0 {
		user = "User www-data\nGroup www-data"
	}
	var extra strings.Builder
	for _, name := range strings.Fields("authn_core authn_file authz_core authz_user auth_basic alias dir env headers logio mime remoteip reqtimeout setenvif unique_id") {
		// Which modules are built in differs from release to release.
		fmt.Fprintf(&extra, "<IfModule !mod_%[1]s.c>\nLoadModule %[1]s_module /usr/lib/apache2/modules/mod_%[1]s.so\n</IfModule>\n", name)
	}
	extra.WriteString("TypesConfig /dev/null\nAddType text/html .html\nAddType image/png .png\n")
	for name, format := range formats {
		fmt.Fprintf(&extra, "LogFormat \"%s\" %s\nCustomLog \"%s/%s.log\" %s\n", strings.ReplaceAll(format, `"`, `\"`), name, root, name, name)
	}
	h.write(t, "httpd.conf", fmt.Sprintf(httpdConf, root, h.port, user, extra.String()))
	h.write(t, "users", "")
	for name, text := range pages {
		h.write(t, "htdocs/"+name, text)
	}
	h.start(t)
	return h
}

func (h *httpd) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(h.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start returns when Apache's error log has the message that it has started.
func (h *httpd) start(t *testing.T) {
	t.Helper()
	h.cmd = exec.Command(httpdPath, "-D", "FOREGROUND", "-f", filepath.Join(h.root, "httpd.conf"))
	h.cmd.Env = []string{"TZ=CET-1", "LC_ALL=C", "PATH=/usr/bin:/bin"}
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it ends by a signal to its whole group
	stderr, err := h.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.kill(t) })
	up := make(chan bool, 1)
	go func() {
		var log strings.Builder
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			log.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "resuming normal operations") {
				select {
				case up <- true:
				default:
				}
			}
		}
		close(up)
		h.log <- log.String()
	}()
	if !<-up {
		log := <-h.log
		h.over = true
		t.Fatalf("apache2 does not start: %v\n%s", h.cmd.Wait(), log)
	}
}

// stop stops Apache after its pending requests and waits for its end.
func (h *httpd) stop(t *testing.T) {
	t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGWINCH); err != nil { // graceful-stop
		t.Fatal(err)
	}
	log := <-h.log
	h.over = true
	if err := h.cmd.Wait(); err != nil {
		t.Fatalf("apache2: %v\n%s", err, log)
	}
}

// kill kills an Apache, with its worker, after a failed test.
func (h *httpd) kill(t *testing.T) {
	if h.over {
		return
	}
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	t.Logf("apache2 logged:\n%s", <-h.log)
	if err := h.cmd.Wait(); err != nil {
		t.Log(err)
	}
}

// lines returns the lines of one of its logs.
func (h *httpd) lines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.root, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// freePort returns a port that was free on both loopback addresses.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		four, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(four.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		six, err := net.Listen("tcp", "[::1]:"+port)
		closeAll(t, four)
		if err == nil {
			closeAll(t, six)
			return port
		}
	}
	t.Skip("no port is free on 127.0.0.1 and on [::1]: is there IPv6 on the loopback?")
	return ""
}

func closeAll(t *testing.T, all ...io.Closer) {
	t.Helper()
	for _, c := range all {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

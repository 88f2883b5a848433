package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sluice/monitor"
)

// webServer is a running apache2 of Debian with its files in a directory.
type webServer struct {
	*testing.T
	dir, address string
}

const apacheProgram = "/usr/sbin/apache2"

// startApache starts an apache2 whose virtual hosts are the files in sites/. The test is skipped if
// apache2 is not installed, except in CI.
func startApache(t *testing.T) *webServer {
	t.Helper()
	if _, err := os.Stat(apacheProgram); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("left out: %v; on Debian: apt-get install apache2", err)
	}
	s := &webServer{t, t.TempDir(), freeAddress(t)}
	user := ""
	if os.Getuid() == 0 {
		user = "User www-data\nGroup www-data\n"
	}
	for _, dir := range []string{"logs", "sites"} {
		if err := os.Mkdir(s.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.write("httpd.conf", fmt.Sprintf(`ServerRoot "%[1]s"
DefaultRuntimeDir "%[1]s"
PidFile "%[1]s/pid"
Mutex file:%[1]s
ServerName main.test
Listen %[2]s
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
%[3]sErrorLog "%[1]s/logs/error.log"
StartServers 1
LogFormat "%%h %%l %%u %%t \"%%r\" %%>s %%b %%D" timed
<VirtualHost *:*>
ServerName main.test
CustomLog logs/access.log timed
</VirtualHost>
IncludeOptional sites/*.conf
`, s.dir, s.address, user))
	// The test's context is not used, because it would kill apache2 without its child processes.
	c := exec.CommandContext(context.WithoutCancel(t.Context()), apacheProgram, "-DFOREGROUND", "-f", s.path("httpd.conf"))
	out, err := os.Create(s.path("out"))
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stopped := c.Process.Signal(syscall.SIGTERM)
		if err := errors.Join(stopped, c.Wait(), out.Close()); err != nil || t.Failed() {
			output, _ := os.ReadFile(s.path("out"))
			t.Logf("apache2: %v\n%s", err, output)
		}
	})
	return s
}

func (s *webServer) path(name string) string { return filepath.Join(s.dir, name) }

func (s *webServer) write(name, text string) {
	s.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
}

// site adds a virtual host with its own log and LogFormat.
func (s *webServer) site(name, format string) {
	s.Helper()
	s.write("sites/"+name+".conf", fmt.Sprintf("<VirtualHost *:*>\nServerName %[1]s.test\nCustomLog \"logs/%[1]s-access.log\" \"%[2]s\"\n</VirtualHost>\n", name, format))
}

func (s *webServer) graceful() {
	s.Helper()
	if out, err := exec.CommandContext(s.Context(), apacheProgram, "-f", s.path("httpd.conf"), "-k", "graceful").CombinedOutput(); err != nil {
		s.Fatalf("%v: %s", err, out)
	}
}

// ask requests a path from a virtual host and reports whether a web server answered.
func (s *webServer) ask(host, path string) bool {
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, "http://"+s.address+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	request.Host = host + ".test"
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return true
}

// lines counts the lines of all logs.
func (s *webServer) lines() (n int64) {
	s.Helper()
	logs, err := filepath.Glob(s.path("logs/*access.log"))
	if err != nil {
		s.Fatal(err)
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			s.Fatal(err)
		}
		n += int64(bytes.Count(text, []byte("\n")))
	}
	return n
}

// TestLogsComeFromApachesConfiguration runs sluice with only the web server's configuration. A
// virtual host that is added with a graceful restart must be followed in its LogFormat.
func TestLogsComeFromApachesConfiguration(t *testing.T) {
	t.Parallel()
	s := startApache(t)
	data := filepath.Join(t.TempDir(), "data")
	c := start(t, "--data", data, "run", "--host", "web01", "--no-nice", "--latency", "50ms", "--apache-conf", s.path("httpd.conf"))
	c.await(t, func() bool { return s.ask("main", "/first") })
	s.site("shop", `%v %>s %t \"%r\" %{ms}T`)
	c.await(t, func() bool { return strings.Contains(c.output(t), `msg="logs taken from the apache configuration"`) })
	s.graceful()
	c.await(t, func() bool { // the old child processes answer for some time after the restart
		s.ask("shop", "/second")
		text, err := os.ReadFile(s.path("logs/shop-access.log"))
		return err == nil && len(text) > 0
	})
	c.await(t, func() bool {
		st, err := monitor.Read(statusPath(data))
		return err == nil && st.Logs.Files == 2 && st.Lines == s.lines() && st.Health != nil && st.Health.Status == "OKAY"
	})
	if err := c.end(t); err != nil {
		t.Fatalf("%v\n%s", err, c.output(t))
	}
	if output := c.output(t); !strings.Contains(output, `msg="following logs" sources=1 `) && !strings.Contains(output, `msg="following logs" sources=2 `) {
		t.Errorf("the logs of the configuration are not counted at the start: %s", output)
	}
	if strings.Contains(c.output(t), "cannot save the logs") {
		t.Errorf("the first start, without a data directory: %s", c.output(t))
	}
	got := answerOf(t, data, "scan", "--fields", "path,vhost,status,file,parse_error", "--where", "path = '/second' and vhost = 'shop.test'", "--limit", "1", "--output", "tsv")
	if !strings.Contains(got, "/second\tshop.test\t404\t"+s.path("logs/shop-access.log")) {
		t.Errorf("%s", got)
	}
	got = answerOf(t, data, "scan", "--fields", "path,status,file,duration_us", "--where", "path = '/first' and duration_us >= 0", "--output", "tsv")
	if !strings.Contains(got, "/first\t404\t"+s.path("logs/access.log")) {
		t.Errorf("%s", got)
	}
}

// TestAnAgentNamesLogsThatItDoesNotRead checks that an agent reports a CustomLog that no source
// reads to its collector as a warning, until the log is removed from the configuration.
func TestAnAgentNamesLogsThatItDoesNotRead(t *testing.T) {
	t.Parallel()
	s := startApache(t)
	s.site("blog", "%h %t %>s")
	dir := t.TempDir()
	data, address, status := filepath.Join(dir, "data"), freeAddress(t), freeAddress(t)
	collector := start(t, append(collectorArgs(data, address), "--status-listen", status)...)
	collector.await(t, func() bool { return s.ask("main", "/") })
	agent := start(t, append(agentArgs(filepath.Join(dir, "agent"), "web01", address, s.path("logs/access*.log")), "--apache-conf", s.path("httpd.conf"))...)
	warned := func() []string {
		h := askHealth(t, status)
		if h == nil || !h.Well() || h.Status != h.Metrics["web01"].Status {
			return nil
		}
		return h.Metrics["web01"].Warnings
	}
	want := fmt.Sprintf("CustomLog %s (%s:3) is read by no source", s.path("logs/blog-access.log"), s.path("sites/blog.conf"))
	collector.await(t, func() bool { return slices.Equal(warned(), []string{want}) })
	if err := os.Remove(s.path("sites/blog.conf")); err != nil {
		t.Fatal(err)
	}
	collector.await(t, func() bool {
		h := askHealth(t, status)
		return h != nil && h.Status == "OKAY" && h.Metrics["web01"].Lines > 0
	})
	for _, c := range []*follower{agent, collector} {
		if err := c.end(t); err != nil {
			t.Errorf("%v\n%s", err, c.output(t))
		}
	}
}

// answerOf returns the output of a command on the data directory.
func answerOf(t *testing.T, data string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(t.Context(), append([]string{"--quiet", "--data", data}, args...), nil, &out, &errs); status != 0 {
		t.Errorf("%q: status %d: %s", args, status, errs.String())
	}
	return out.String()
}

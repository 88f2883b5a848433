package httpdconf

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const apache2 = "/usr/sbin/apache2"

func needApache(t *testing.T) {
	if _, err := os.Stat(apache2); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing; install Debian's package apache2", apache2)
	}
	t.Skipf("%s is missing; install Debian's package apache2 to compare with it", apache2)
}

// TestInstalledApache reads the configuration that Debian's package installs.
func TestInstalledApache(t *testing.T) {
	needApache(t)
	conf, err := Read("/etc/apache2/apache2.conf", Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/etc/apache2/apache2.conf")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct{ nickname, host string }{
		"/var/log/apache2/other_vhosts_access.log": {"vhost_combined", ""},
		"/var/log/apache2/access.log":              {"combined", "*:80"},
	} {
		i := slices.IndexFunc(conf.Logs, func(l Log) bool { return l.Path == path })
		if i < 0 {
			t.Errorf("%s is not found in\n%s", path, describe(conf))
			continue
		}
		l := conf.Logs[i]
		if l.Nickname != want.nickname || l.VirtualHost != want.host {
			t.Errorf("%s: nickname %q, host %q", path, l.Nickname, l.VirtualHost)
		}
		line := fmt.Sprintf("LogFormat \"%s\" %s\n", strings.ReplaceAll(l.Format, `"`, `\"`), l.Nickname)
		if !bytes.Contains(text, []byte(line)) {
			t.Errorf("apache2.conf does not hold %s", line)
		}
	}
	if len(conf.Warnings) > 0 {
		t.Errorf("warnings: %q", conf.Warnings)
	}
}

// TestIncludesInHttpdsOrder compares the order of the files with httpd's own. Each file of the
// scenario has one log.
func TestIncludesInHttpdsOrder(t *testing.T) {
	needApache(t)
	root, err := filepath.Abs("testdata/includes")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "httpd.conf")
	conf, err := Read(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{path}
	for _, l := range conf.Logs {
		got = append(got, l.File)
	}
	// An MPM is what httpd asks for; -C is read before the file itself.
	out, err := exec.Command(apache2, "-t", "-D", "DUMP_INCLUDES", "-d", root, "-f", path,
		"-C", "ServerName localhost", "-C", "ErrorLog "+filepath.Join(t.TempDir(), "error.log"), "-C", "LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^ +\([0-9*]+\) (.+)$`).FindAllSubmatch(out, -1) {
		if file := string(m[1]); file != os.DevNull { // holds no log
			want = append(want, file)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Apache is a running apache2 of Debian, with many virtual hosts on loopback. Each has its own
// access log, LOGS/access-0000.log and so on.
type Apache struct {
	URL   string
	cmd   *exec.Cmd
	out   bytes.Buffer
	ended chan error
}

const (
	apacheProgram = "/usr/sbin/apache2"
	apacheStarts  = time.Minute
	apachePoll    = 50 * time.Millisecond
	pageBytes     = 2 << 10
)

// virtualHost returns the name of host n.
func virtualHost(n int) string { return fmt.Sprintf("h%d.test", n) }

// StartApache starts a server with the given number of hosts. Its configuration is written to home.
func StartApache(ctx context.Context, home, logs string, hosts int) (*Apache, error) {
	if _, err := os.Stat(apacheProgram); err != nil {
		return nil, fmt.Errorf("%w; on Debian: apt-get install apache2", err)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	www := filepath.Join(home, "www")
	if err := os.MkdirAll(www, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(www, "page.html"), bytes.Repeat([]byte("x"), pageBytes), 0o644); err != nil {
		return nil, err
	}
	conf := filepath.Join(home, "apache.conf")
	if err := os.WriteFile(conf, apacheConf(home, www, logs, port, hosts), 0o644); err != nil {
		return nil, err
	}
	a := &Apache{URL: fmt.Sprintf("http://127.0.0.1:%d/page.html", port), ended: make(chan error, 1)}
	a.cmd = exec.CommandContext(ctx, apacheProgram, "-DFOREGROUND", "-f", conf)
	a.cmd.Stdout, a.cmd.Stderr = &a.out, &a.out
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { a.ended <- a.cmd.Wait() }()
	tick := time.NewTicker(apachePoll)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < apacheStarts; {
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), a.Stop())
		case err := <-a.ended:
			return nil, fmt.Errorf("apache2 ended: %w: %s", err, bytes.TrimSpace(a.out.Bytes()))
		case <-tick.C:
			c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
			if err == nil {
				return a, c.Close()
			}
		}
	}
	return nil, errors.Join(fmt.Errorf("apache2 did not answer within %s", apacheStarts), a.Stop())
}

func apacheConf(home, www, logs string, port, hosts int) []byte {
	var b bytes.Buffer
	user := ""
	if os.Getuid() == 0 { // as root it needs another user for its children
		user = "User www-data\nGroup www-data\n"
	}
	var modules strings.Builder
	for _, m := range []string{"mpm_event", "authz_core"} {
		fmt.Fprintf(&modules, "LoadModule %[1]s_module /usr/lib/apache2/modules/mod_%[1]s.so\n", m)
	}
	fmt.Fprintf(&b, `ServerRoot "%[1]s"
DefaultRuntimeDir "%[1]s"
PidFile "%[1]s/pid"
Mutex file:%[1]s
ServerName bench.test
Listen 127.0.0.1:%[2]d
%[3]s%[4]sErrorLog "%[1]s/error.log"
ServerLimit 4
StartServers 4
ThreadsPerChild 25
MaxRequestWorkers 100
KeepAlive On
MaxKeepAliveRequests 0
DocumentRoot "%[5]s"
<Directory "%[5]s">
Require all granted
</Directory>
LogFormat "%%h %%l %%u %%t \"%%r\" %%>s %%O \"%%{Referer}i\" \"%%{User-Agent}i\"" combined
`, home, port, modules.String(), user, www)
	for n := range hosts {
		fmt.Fprintf(&b, "<VirtualHost 127.0.0.1:%d>\nServerName %s\nCustomLog \"%s/access-%04d.log\" combined\n</VirtualHost>\n", port, virtualHost(n), logs, n)
	}
	return b.Bytes()
}

// Stop stops the server and its children.
func (a *Apache) Stop() error {
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-a.ended // ignore the exit status after the signal
	return nil
}

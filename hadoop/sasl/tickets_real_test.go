package sasl_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/hadoop/sasl"
	"sluice/hbase/rpc"
	"sluice/test/cluster"
)

// testSettingErrors tests the error for each wrong setting of a client.
func testSettingErrors(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	if err := clusterID(t, c, rpc.Simple); err == nil || !strings.Contains(err.Error(), "Kerberos") && !strings.Contains(err.Error(), "uthentication is required") {
		t.Errorf("a client without Kerberos: %v", err)
	} else {
		t.Logf("a client without Kerberos: %v", err)
	}
	other := client(c)
	other.ServerPrincipal = "hbase/nowhere.example.com@SLUICE.TEST"
	says(t, "a service that is not there", clusterID(t, c, kerberos(t, other)), sasl.ErrPrincipal, "the KDC knows no service hbase/nowhere.example.com@SLUICE.TEST")
	other.ServerPrincipal = "HTTP/_HOST"
	if err := clusterID(t, c, kerberos(t, other)); err == nil || !strings.Contains(err.Error(), "HTTP/localhost") {
		t.Errorf("a ticket for another service: %v", err)
	} else {
		t.Logf("a ticket for another service: %v", err)
	}
	other = client(c)
	other.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	says(t, "a clock that is behind", clusterID(t, c, kerberos(t, other)), sasl.ErrClockSkew, "behind the KDC's: set it")
	other = client(c)
	other.Keytab = ""
	other.Cache = filepath.Join(t.TempDir(), "none")
	says(t, "neither keytab nor cache", clusterID(t, c, kerberos(t, other)), sasl.ErrNoTicket, "run kinit, or name a keytab")
	other = client(c)
	other.Principal = "somebody"
	if _, err := sasl.New(other); err == nil || !strings.Contains(err.Error(), "has no key of somebody@SLUICE.TEST") {
		t.Errorf("a principal that is not in the keytab: %v", err)
	}
	strange := filepath.Join(t.TempDir(), "krb5.conf")
	rewrite(t, c.KRB5Config, strange, "kdc = 127.0.0.1:16088", "kdc = 127.0.0.1:1") // no server listens there
	other = client(c)
	other.Krb5Config = strange
	says(t, "no KDC", clusterID(t, c, kerberos(t, other)), sasl.ErrKDC, "of realm SLUICE.TEST")
}

// rewrite copies a file with replacements.
func rewrite(t *testing.T, from, to string, replace ...string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(replace...).Replace(string(b))
	if changed == string(b) {
		t.Fatalf("%s has no %q", from, replace[0])
	}
	if err := os.WriteFile(to, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// testTicketsExpire uses tickets that are valid for three minutes, and a clock that is advanced by
// four, which is less than the clock skew that the KDC permits. An open connection continues, and a
// new one gets a new ticket.
func testTicketsExpire(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	short := filepath.Join(t.TempDir(), "krb5.conf")
	rewrite(t, c.KRB5Config, short, "ticket_lifetime = 24h", "ticket_lifetime = 3m")
	var ahead atomic.Int64
	settings := client(c)
	settings.Krb5Config = short
	settings.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	h := kerberos(t, settings)
	conn, err := rpc.Dial(t.Context(), server(t, c.RegionServers[0]), rpc.MetaService, rpc.Options{Handshake: h, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ahead.Store(int64(4 * time.Minute))
	if err := clusterID(t, c, h); err != nil {
		t.Errorf("a connection with an expired ticket: %v", err)
	}
	if _, err := conn.Call(t.Context(), &rpc.Request{Method: "GetClusterId"}); err != nil {
		t.Errorf("a call on the connection of before: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

// testLogIns tests only the log-in, with the keytab and with the cache of kinit.
func testLogIns(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	settings := client(c)
	logIn := func() error {
		t.Helper()
		krb5, err := sasl.New(settings)
		if err != nil {
			t.Fatal(err)
		}
		who, until, err := krb5.LogIn(t.Context())
		if err == nil && (who != c.ClientPrincipal || !until.After(time.Now())) {
			t.Errorf("principal %s, valid until %v", who, until)
		}
		return err
	}
	if err := logIn(); err != nil {
		t.Error(err)
	}
	if _, err := exec.LookPath("kinit"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Logf("left out: %v", err)
		return
	}
	settings.Keytab = ""
	settings.Cache = "FILE:" + filepath.Join(t.TempDir(), "cache")
	cmd := exec.Command("kinit", "-k", "-t", c.ClientKeytab, "-c", settings.Cache, c.ClientPrincipal)
	cmd.Env = append(os.Environ(), "KRB5_CONFIG="+c.KRB5Config)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := logIn(); err != nil {
		t.Error(err)
	}
	settings.Principal = "somebody@SLUICE.TEST"
	says(t, "another one's cache", logIn(), sasl.ErrNoTicket, "run kinit somebody@SLUICE.TEST")
	settings.Cache = "KCM:0"
	says(t, "a cache that is no file", logIn(), sasl.ErrNoTicket, "export KRB5CCNAME=FILE:/path")
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/test/cluster"
)

// user runs commands against a secured cluster with the settings of an operator: Hadoop's
// configuration files, and flags for what they do not contain.
type user struct {
	t     *testing.T
	c     *cluster.Cluster
	flags []string // flags of every command
	log   string
}

func newUser(t *testing.T, c *cluster.Cluster, flags ...string) *user {
	t.Helper()
	t.Setenv("HBASE_CONF_DIR", c.ConfDir)
	t.Setenv("HADOOP_CONF_DIR", c.ConfDir)
	t.Setenv("KRB5_CONFIG", c.KRB5Config)
	t.Setenv("KRB5CCNAME", "FILE:"+filepath.Join(t.TempDir(), "none"))
	return &user{t, c, flags, filepath.Join("..", "..", "testdata", "logs", "access.log")}
}

// sluice runs a command with a table of the cluster in hbase-site.xml.
func (u *user) sluice(want int, table string, args ...string) (stdout, stderr string) {
	u.t.Helper()
	return u.types(want, append(args, "--table", table)...)
}

// types runs a command that must exit with status want.
func (u *user) types(want int, args ...string) (stdout, stderr string) {
	u.t.Helper()
	status, stdout, stderr := u.command(args...)
	if status != want {
		u.t.Fatalf("%q: status %d, want %d: %s%s", args, status, want, stdout, stderr)
	}
	return stdout, stderr
}

// fails runs a command that must exit with a status other than 0.
func (u *user) fails(args ...string) (stdout, stderr string) {
	u.t.Helper()
	status, stdout, stderr := u.command(args...)
	if status == 0 {
		u.t.Fatalf("%q succeeds: %s%s", args, stdout, stderr)
	}
	return stdout, stderr
}

func (u *user) command(args ...string) (status int, stdout, stderr string) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), 5*time.Minute)
	defer cancel()
	args = append(append([]string{"--data", u.t.TempDir(), "-q"}, args...), u.flags...)
	var out, errs bytes.Buffer
	status = run(ctx, args, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

// wholePath creates a table, writes a log to it and reads it back.
func (u *user) wholePath(flags ...string) (table string) {
	u.t.Helper()
	table = fmt.Sprintf("hbase:///sluicetest:t%d", time.Now().UnixNano())
	with := func(args ...string) []string { return append(args, flags...) }
	if out, _ := u.sluice(0, table, with("schema", "apply")...); !strings.Contains(out, "made") {
		u.t.Errorf("apply: %s", out)
	}
	u.sluice(0, table, with("run", "--once", "--host", "web01", u.log)...)
	out, _ := u.sluice(0, table, with("scan", "--output", "raw")...)
	want, err := os.ReadFile(u.log)
	if err != nil {
		u.t.Fatal(err)
	}
	if len(out) != len(want) {
		u.t.Errorf("%d bytes were read back, %d written", len(out), len(want))
	}
	out, _ = u.sluice(0, table, with("doctor")...)
	if strings.Count(out, "deleted") != 2 || strings.Contains(out, "FAILED") {
		u.t.Errorf("doctor:\n%s", out)
	}
	return table
}

// loadsFiles loads a log as files, with a delegation token of HDFS for the region servers, and
// reads it back.
func (u *user) loadsFiles(flags ...string) {
	u.t.Helper()
	table := fmt.Sprintf("hbase:///sluicetest:load%d", time.Now().UnixNano())
	with := func(args ...string) []string { return append(args, flags...) }
	u.sluice(0, table, with("schema", "apply")...)
	_, errs := u.sluice(0, table, with("run", "--once", "--host", "web01", "--load", "bulk", u.log)...)
	if strings.Contains(errs, "bulk load") { // why rows were written with Put
		u.t.Errorf("run --load bulk: %s", errs)
	}
	out, _ := u.sluice(0, table, with("scan", "--output", "raw")...)
	want, err := os.ReadFile(u.log)
	if err != nil {
		u.t.Fatal(err)
	}
	if len(out) != len(want) {
		u.t.Errorf("%d bytes were read back, %d loaded", len(out), len(want))
	}
}

// reported checks that a command fails with an error that contains sentence and no low-level cause.
func (u *user) reported(what, table, sentence string, flags ...string) {
	u.t.Helper()
	_, errs := u.sluice(2, table, append([]string{"scan", "--count"}, flags...)...)
	if !strings.Contains(errs, sentence) || strings.Contains(errs, "EOF") || strings.Contains(errs, "broken pipe") {
		u.t.Errorf("%s: %s; want %q in it", what, errs, sentence)
	}
	u.t.Logf("%s: %s", what, errs)
}

// Starting the cluster in each mode takes half a minute. The last test uses the mode of the
// tests of hbase/sasl, which run next.

func TestMutualTLSWithKerberos(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Kerberos: "privacy", TLS: "mutual"})
	u := newUser(t, c, "--kerberos-keytab="+c.ClientKeytab)
	authority, certificate := "--hbase-tls-ca="+c.TLSAuthority, "--hbase-tls-cert="+c.TLSClient
	table := u.wholePath(authority, certificate)
	u.loadsFiles(authority, certificate)
	out, _ := u.sluice(0, table, "doctor", authority, certificate)
	if !strings.Contains(out, "the master's certificate is for localhost, 127.0.0.1, until 20") || strings.Count(out, "its certificate is good until") != 2 {
		t.Errorf("the doctor's report of TLS:\n%s", out)
	}
	u.reported("a client with a store that only Java reads", table, "give --hbase-tls-ca ca.pem")
	u.reported("a client without a certificate", table, "it may want a certificate of ours", authority)
	u.reported("a client that trusts others", table, "give its authority's certificate", "--hbase-tls-ca=system", certificate)
	u.archiveAtPrivacyAlone(authority, certificate)
	u.reported("a client of another protection", table, `the server's hbase.rpc.protection is "privacy"`, authority, certificate, "--hbase-protection=authentication")
}

func TestTLSAlone(t *testing.T) {
	c := cluster.Start(t, cluster.Options{TLS: "server"})
	u := newUser(t, c)
	table := u.wholePath("--hbase-tls-ca=" + c.TLSAuthority)
	t.Setenv("HBASE_CONF_DIR", "")
	t.Setenv("HADOOP_CONF_DIR", "")
	plain := "hbase://" + c.ZooKeeper + "/" + strings.TrimPrefix(table, "hbase:///")
	out, _ := u.sluice(1, plain, "doctor")
	if !strings.Contains(out, "does it require TLS") || !strings.Contains(out, "--hbase-tls-ca") || strings.Contains(out, "EOF") || strings.Contains(out, "broken pipe") {
		t.Errorf("a plain client's doctor:\n%s", out)
	}
}

func TestKerberosAtEachProtection(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Kerberos: cluster.AnyProtection})
	u := newUser(t, c)
	keytab := "--kerberos-keytab=" + c.ClientKeytab
	var table string
	for _, protection := range []string{"authentication", "integrity", "privacy"} {
		table = u.wholePath(keytab, "--hbase-protection", protection)
	}
	u.loadsFiles(keytab)
	out, _ := u.sluice(0, table, "doctor", keytab)
	if !strings.Contains(out, "a ticket for sluice@SLUICE.TEST until 20") {
		t.Errorf("the doctor's report of the ticket:\n%s", out)
	}
	u.reported("a client without a ticket", table, "neither a keytab nor a ticket cache")
	u.reported("somebody who is not in the keytab", table, "has no key of somebody@SLUICE.TEST", keytab, "--kerberos-principal=somebody")
	u.reported("a service that is not there", table, "the KDC knows no service other/localhost@SLUICE.TEST", keytab, "--hbase-service=other/_HOST")
	u.reported("a ticket for another service", table, "--hbase-service must be their principal", keytab, "--hbase-service=HTTP/_HOST")
	u.reported("a client with TLS", table, "leave out the TLS settings", keytab, "--hbase-tls-ca=system")
	out, _ = u.sluice(1, table, "doctor", keytab, "--hbase-service=other/_HOST")
	if !strings.Contains(out, "FAILED   master") || !strings.Contains(out, "knows no service") || !strings.Contains(out, "skipped  row") {
		t.Errorf("doctor with a service that is not there:\n%s", out)
	}
	u.archives(keytab)
	u.ticketRunsOut(table)
	t.Setenv("HBASE_CONF_DIR", "")
	t.Setenv("HADOOP_CONF_DIR", "")
	plain := "hbase://" + c.ZooKeeper + "/" + strings.TrimPrefix(table, "hbase:///")
	u.reported("a client without settings", plain, "set HBASE_CONF_DIR to the directory of its hbase-site.xml")
	u.reported("no place", table, "HBASE_CONF_DIR")
}

// ticketRunsOut follows a log with a ticket that is valid for 12 seconds, or for longer if this
// machine does not archive a line within that time. Lines that are written after its end must be
// stored and archived over the existing connections. New clients must get an error, and succeed
// with a new ticket.
func (u *user) ticketRunsOut(table string) {
	for _, life := range []time.Duration{12 * time.Second, 40 * time.Second, 2 * time.Minute} {
		if u.ticketRunsOutAfter(life, table) {
			return
		}
		u.t.Logf("no line was archived within the %s of a ticket", life)
	}
	u.t.Error("no line was archived while a ticket was valid")
}

// ticketRunsOutAfter is ticketRunsOut for one ticket. It reports false if the ticket expired before
// the first line was archived.
func (u *user) ticketRunsOutAfter(life time.Duration, table string) bool {
	t := u.t
	if _, err := exec.LookPath("kinit"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Logf("left out: %v", err)
		return true
	}
	cache := "FILE:" + filepath.Join(t.TempDir(), "cache")
	t.Setenv("KRB5CCNAME", cache)
	kinit := func(life, cache string) {
		t.Helper()
		if out, err := exec.Command("kinit", "-k", "-t", u.c.ClientKeytab, "-l", life, "-c", cache, u.c.ClientPrincipal).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	kinit(fmt.Sprintf("%ds", int(life.Seconds())), cache)
	end := time.After(life + 500*time.Millisecond)
	log := filepath.Join(t.TempDir(), "access.log")
	line := `192.0.2.1 - - [17/May/2025:10:05:03 +0000] "GET /%s HTTP/1.1" 200 1 "-" "test"` + "\n"
	appendLine := func(name string) {
		t.Helper()
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(f, line, name); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	appendLine("before-" + life.String())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var errs bytes.Buffer
	url := newArchive("ticket")
	args := []string{"--data", t.TempDir(), "-q", "run", "--no-nice", "--cpu", "0", "--host", "web02", "--table", table, "--archive", url, "--roll-idle", "1s", log}
	go func() { ended <- run(ctx, args, strings.NewReader(""), &bytes.Buffer{}, &errs) }()
	defer cancel()
	if !u.archived(url, 1, end) {
		cancel()
		<-ended // it may fail: it had no valid ticket
		return false
	}
	u.rows(table, "/before-"+life.String())
	<-end
	appendLine("after-" + life.String())
	u.reported("one whose ticket ran out", table, "run kinit, or use a keytab")
	if _, errs := u.types(2, "archive", "ls", url); !strings.Contains(errs, "run kinit, or use a keytab") {
		t.Errorf("an archive with an expired ticket: %s", errs)
	}
	another := cache + "-of-another"
	kinit("10m", another)
	t.Setenv("KRB5CCNAME", another)
	u.rows(table, "/after-"+life.String())
	if !u.archived(url, 2, time.After(5*time.Minute)) {
		t.Error("the line that was written after the end of the ticket is not archived within 5 minutes")
	}
	cancel()
	if status := <-ended; status != 0 {
		t.Errorf("following ended with %d: %s", status, errs.String())
	}
	return true
}

// rows waits until one row has the path.
func (u *user) rows(table, path string) {
	u.t.Helper()
	deadline := time.After(5 * time.Minute)
	for {
		// Status 1 is a row that is there before its stream is in the table's directory.
		if status, out, _ := u.command("scan", "--count", "--path", path, "--table", table); status == 0 && out == "1\n" {
			return
		}
		select {
		case <-deadline:
			u.t.Fatalf("%s is not stored within 5 minutes", path)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// archived waits until an archive has this number of lines. It reports false if the end comes first.
func (u *user) archived(url string, lines int, end <-chan time.Time) bool {
	u.t.Helper()
	for {
		if status, out, _ := u.command("archive", "cat", url); status == 0 && strings.Count(out, "\n") == lines {
			return true
		}
		select {
		case <-end:
			return false
		case <-time.After(200 * time.Millisecond):
		}
	}
}

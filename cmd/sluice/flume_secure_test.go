package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sluice/monitor"
)

// TestFlumeAndAgentsShareOnePort delivers to one port from a sluice agent with a certificate, and
// from a Flume that compresses and has no certificate.
func TestFlumeAndAgentsShareOnePort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, address := filepath.Join(dir, "data"), freeAddress(t)
	ca := newAuthority(t, dir)
	ours, theirs := sampleLines(t, 1, 3000), sampleLines(t, 2, 3000)
	for name, text := range map[string][]byte{"ours.log": ours, "theirs.log": theirs} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := append(collectorArgs(data, address), "--flume-without-certificate")
	collector := start(t, append(args, ca.issue(t, dir, "c1", "c1", 2)...)...)
	f := startFlume(t, "sink.conf", "a.sinks.up.compression-type = deflate\na.sinks.up.ssl = true\na.sinks.up.trust-all-certs = true\n",
		"@LOG@", filepath.Join(dir, "theirs.log"), "@PORT@", portOf(t, address))
	agent := append(agentArgs(filepath.Join(dir, "agent"), "web02", address, filepath.Join(dir, "ours.log")), ca.issue(t, dir, "web02", "web02", 3)...)
	untilAllIsSent(t, filepath.Join(dir, "agent"), agent)
	f.delivered(t, bytes.Count(theirs, []byte("\n")))
	if err := collector.end(t); err != nil {
		t.Fatalf("%v\n%s", err, collector.output(t))
	}
	stored(t, data, append(ours, asFlumeReads(theirs)...))
}

// TestEventsWithoutAPlaceAreStored checks that events without an offset, from the exec and spooldir
// sources of Flume, are stored as often as they were delivered.
func TestEventsWithoutAPlaceAreStored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, spool, data, address := filepath.Join(dir, "access.log"), filepath.Join(dir, "done"), filepath.Join(dir, "data"), freeAddress(t)
	if err := os.Mkdir(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	followed, finished := bytes.ReplaceAll(sampleLines(t, 1, 2000), []byte("\r"), nil), bytes.ReplaceAll(sampleLines(t, 2, 2000), []byte("\r"), nil)
	if err := errors.Join(os.WriteFile(log, followed, 0o600), os.WriteFile(filepath.Join(spool, "a.log"), finished, 0o600)); err != nil {
		t.Fatal(err)
	}
	collector := start(t, collectorArgs(data, address)...)
	f := startFlume(t, "others.conf", "", "@LOG@", log, "@SPOOL@", spool, "@PORT@", portOf(t, address))
	f.delivered(t, bytes.Count(followed, []byte("\n"))+bytes.Count(finished, []byte("\n")))
	if err := collector.end(t); err != nil {
		t.Fatalf("%v\n%s", err, collector.output(t))
	}
	stored(t, data, append(followed, finished...))
}

// TestAnAgentDeliversToASecuredFlume delivers to a Flume with TLS and compression, with a first
// collector that is unavailable.
func TestAnAgentDeliversToASecuredFlume(t *testing.T) {
	t.Parallel()
	flumeJars(t) // skips the test if Java is missing
	dir := t.TempDir()
	log, data, address := filepath.Join(dir, "access.log"), filepath.Join(dir, "data"), freeAddress(t)
	all := sampleLines(t, 3, 3000)
	if err := os.WriteFile(log, all, 0o600); err != nil {
		t.Fatal(err)
	}
	store, pem := filepath.Join(dir, "flume.p12"), filepath.Join(dir, "flume.pem")
	for _, args := range [][]string{
		{"-genkeypair", "-keyalg", "EC", "-dname", "CN=localhost", "-ext", "SAN=ip:127.0.0.1", "-storetype", "PKCS12"},
		{"-exportcert", "-rfc", "-file", pem},
	} {
		if out, err := exec.Command("keytool", append(args, "-alias", "flume", "-storepass", "changeit", "-keystore", store)...).CombinedOutput(); err != nil {
			t.Fatalf("keytool: %v: %s", err, out)
		}
	}
	f := startFlume(t, "source.conf", "a.sources.in.compression-type = deflate\na.sources.in.ssl = true\na.sources.in.keystore = "+store+
		"\na.sources.in.keystore-password = changeit\na.sources.in.keystore-type = PKCS12\n", "@PORT@", portOf(t, address))
	args := append(agentArgs(data, "web01", "flume://"+freeAddress(t)+","+address, log), "--tls-ca", pem, "--flume-deflate", "--failover-after", "300ms")
	untilAllIsSent(t, data, args)
	f.holds(t, all, "host=web01", "file="+log)
	if s, err := monitor.Read(statusPath(data)); err != nil || s.Sending.Collector != address {
		t.Errorf("it delivers to %+v: %v", s.Sending, err)
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// configured writes the client's Hadoop configuration files again with words replaced: pairs of old
// and new.
func (u *user) configured(words ...string) {
	u.t.Helper()
	conf := u.t.TempDir()
	for _, name := range []string{"core-site.xml", "hdfs-site.xml"} {
		b, err := os.ReadFile(filepath.Join(u.c.ConfDir, name))
		if err != nil {
			u.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(conf, name), []byte(strings.NewReplacer(words...).Replace(string(b))), 0o600); err != nil {
			u.t.Fatal(err)
		}
	}
	u.t.Setenv("HADOOP_CONF_DIR", conf)
}

// Protections of the client, where servers accept all of them or privacy.
const (
	acceptsAll     = "<value>authentication,integrity,privacy</value>"
	acceptsPrivacy = "<value>privacy</value>"
)

func accepts(protection string) string { return "<value>" + protection + "</value>" }

func newArchive(name string) (url string) {
	return fmt.Sprintf("hdfs:///sluicetest/%s-%d/%%Y%%m%%d/%%{host}", name, time.Now().UnixNano())
}

// wholeArchive creates an archive, checks that it agrees with log and table, and fills another
// table from it. hbase are flags that only the commands of the table get.
func (u *user) wholeArchive(hbase []string, login ...string) {
	u.t.Helper()
	url := newArchive("whole")
	with := func(args ...string) []string { return append(args, login...) }
	stores := func(args ...string) []string { return with(append(args, hbase...)...) }
	table := func() string {
		url := fmt.Sprintf("hbase:///sluicetest:t%d", time.Now().UnixNano())
		u.sluice(0, url, stores("schema", "apply")...)
		return url
	}
	first, data := table(), u.t.TempDir()
	u.sluice(0, first, stores("run", "--once", "--host", "web01", "--data", data, "--archive", url, u.log)...)
	if out, _ := u.types(0, with("archive", "ls", url)...); !strings.Contains(out, "web01") {
		u.t.Errorf("archive ls:\n%s", out)
	}
	u.types(0, with("archive", "verify", url)...)
	want, err := os.ReadFile(u.log)
	if err != nil {
		u.t.Fatal(err)
	}
	if out, _ := u.types(0, with("archive", "cat", url)...); out != string(want) {
		u.t.Errorf("%d bytes are in the archive, %d in the log", len(out), len(want))
	}
	u.sluice(0, first, stores("audit", "--data", data, "--archive", url)...)
	again := table()
	u.sluice(0, again, stores("run", "--from-archive", url)...)
	u.sluice(0, again, stores("audit", "--data", data, "--archive", url)...)
	if out, _ := u.sluice(0, first, stores("doctor", "--archive", url)...); !strings.Contains(out, "ok       archive: kerberos") || strings.Contains(out, "FAILED") {
		u.t.Errorf("doctor:\n%s", out)
	}
}

// refused checks that storing fails and that the error contains sentence.
func (u *user) refused(what, sentence string, flags ...string) {
	u.t.Helper()
	_, errs := u.fails(append([]string{"run", "--once", "--host", "web01", "--archive", newArchive("refused"), u.log}, flags...)...)
	if !strings.Contains(errs, sentence) || strings.Contains(errs, "EOF") || strings.Contains(errs, "broken pipe") {
		u.t.Errorf("%s: %s; want %q in it", what, errs, sentence)
	}
	u.t.Logf("%s: %s", what, errs)
}

// nothingLeft checks that rejected archives left no file, and that no _tmp directory contains one.
func (u *user) nothingLeft() {
	u.t.Helper()
	out, err := u.c.HDFS("-ls", "-R", "/sluicetest")
	if err != nil {
		u.t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "d") && (strings.Contains(line, "/refused-") || strings.Contains(line, "/_tmp/")) {
			u.t.Errorf("this is left: %s", line)
		}
	}
}

// archives writes and reads an archive at each protection.
func (u *user) archives(login ...string) {
	for _, protection := range []string{"authentication", "integrity", "privacy"} {
		u.configured(acceptsAll, accepts(protection))
		u.wholeArchive(nil, login...)
	}
	u.refused("a client without a ticket", "there is neither a keytab nor a ticket cache")
	u.refused("somebody who is not in the keytab", "has no key of somebody@SLUICE.TEST", append(login, "--kerberos-principal=somebody")...)
	u.configured("hdfs/localhost@", "other/_HOST@")
	u.refused("a service that is not there", "the KDC knows no service other/localhost@SLUICE.TEST: the host must be named as in the servers' keytabs, and the name before it as in dfs.namenode.kerberos.principal", login...)
	u.configured("hdfs/localhost@", "HTTP/_HOST@")
	u.refused("a ticket for another service", "dfs.namenode.kerberos.principal must be who it is", login...)
	u.t.Setenv("HADOOP_CONF_DIR", u.c.ConfDir)
	u.nothingLeft()
}

// archiveAtPrivacyAlone uses servers that require privacy. Data nodes without AES encrypt with RC4,
// and a client with less protection gets an error from each kind of server.
func (u *user) archiveAtPrivacyAlone(hbase ...string) {
	u.wholeArchive(hbase)
	u.configured(acceptsPrivacy, accepts("integrity"))
	u.refused("a client of less than the name node wants", `the server's hadoop.rpc.protection is "privacy", ours [integrity]`)
	u.configured("dfs.data.transfer.protection</name>"+acceptsPrivacy, "dfs.data.transfer.protection</name>"+accepts("integrity"))
	u.refused("a client of less than the data nodes want", `the data node's dfs.data.transfer.protection is ["privacy"], ours ["integrity"]`)
	u.t.Setenv("HADOOP_CONF_DIR", u.c.ConfDir)
	u.nothingLeft()
}

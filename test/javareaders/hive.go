package javareaders

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hiveOpens are the packages of Java that Hive and Hadoop look into.
var hiveOpens = []string{
	"java.base/java.lang", "java.base/java.lang.reflect", "java.base/java.io", "java.base/java.math", "java.base/java.net",
	"java.base/java.nio", "java.base/java.text", "java.base/java.time", "java.base/java.util", "java.base/java.util.concurrent",
	"java.base/java.util.concurrent.atomic", "java.base/sun.nio.ch", "java.sql/java.sql",
}

// Hive runs a script in Hive's command line, with an empty metastore, and then queries, and returns
// the rows of each query. settings are name=value.
func Hive(t testing.TB, settings []string, script string, queries ...string) [][]Row {
	t.Helper()
	need(t, "java", "javac", "mvn")
	lib := jars(t, "hive")
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString(script)
	for i, q := range queries {
		// The number is the first column of each row.
		fmt.Fprintf(&b, "SELECT %d, %s;\n", i, strings.TrimPrefix(q, "SELECT "))
	}
	path := filepath.Join(dir, "script.sql")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hive-site.xml"), []byte(hiveSite(dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dhive.log.dir=" + dir, "-Dderby.system.home=" + dir}
	for _, name := range hiveOpens {
		args = append(args, "--add-opens="+name+"=ALL-UNNAMED")
	}
	classes := compile(t, lib, "Hive", "SubLists")
	args = append(args, "-cp", classes, "Hive", dir, classes, lib, "--", "-S", "-f", path)
	for _, s := range settings {
		args = append(args, "--hiveconf", s)
	}
	cmd := exec.Command("java", args...)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out := run(t, cmd)
	lines := slices.DeleteFunc(slices.Collect(strings.Lines(out)), func(line string) bool {
		return strings.HasPrefix(line, "Partitions not in metastore") || strings.HasPrefix(line, "Repair:")
	})
	rows, err := parseRows(strings.ReplaceAll(strings.Join(lines, ""), "NULL", "null"), len(queries))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// hiveSite returns Hive's configuration: jobs run in the process, and the metastore is a database of
// Derby in dir.
func hiveSite(dir string) string {
	var b strings.Builder
	b.WriteString("<configuration>\n")
	for _, p := range [][2]string{
		{"javax.jdo.option.ConnectionURL", "jdbc:derby:;databaseName=" + dir + "/metastore;create=true"},
		{"datanucleus.schema.autoCreateAll", "true"},
		{"hive.metastore.schema.verification", "false"},
		{"hive.metastore.warehouse.dir", "file://" + dir + "/warehouse"},
		{"hive.exec.scratchdir", "file://" + dir + "/scratch"},
		{"hive.exec.local.scratchdir", dir + "/local"},
		{"hive.downloaded.resources.dir", dir + "/resources"},
		{"hive.stats.autogather", "false"},
		{"hive.execution.engine", "mr"},
		{"mapreduce.framework.name", "local"},
		{"hadoop.tmp.dir", dir + "/hadoop"},
		{"fs.defaultFS", "file:///"},
	} {
		fmt.Fprintf(&b, "  <property><name>%s</name><value>%s</value></property>\n", p[0], p[1])
	}
	b.WriteString("</configuration>\n")
	return b.String()
}

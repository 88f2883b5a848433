package hdfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocateFindsNameNodes(t *testing.T) {
	dir := t.TempDir()
	for name, properties := range map[string]string{
		"core-site.xml": "fs.defaultFS=hdfs://prod",
		"hdfs-site.xml": "dfs.ha.namenodes.prod=a, b dfs.namenode.rpc-address.prod.a=nn1:9000 dfs.namenode.rpc-address.prod.b=nn2:9000 dfs.ha.namenodes.old=a",
	} {
		text := "<configuration>"
		for p := range strings.SplitSeq(strings.ReplaceAll(properties, ", ", ","), " ") {
			property, value, _ := strings.Cut(p, "=")
			text += "<property><name>" + property + "</name><value>" + value + "</value></property>"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"</configuration>"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ conf, authority, want string }{
		{dir, "", "nn1:9000 nn2:9000"},
		{dir, "prod", "nn1:9000 nn2:9000"},
		{dir, "x", "x:8020"},
		{dir, "old", ""},
		{"", "x,y:9000", "x:9000 y:9000"},
		{"", "x:1,y:2", "x:1 y:2"},
		{"", "[::1]:1", "[::1]:1"},
		{"", "x,,y", ""},
		{"", "u@x", ""},
		{"", "", ""},
	} {
		t.Setenv("HADOOP_CONF_DIR", c.conf)
		t.Setenv("HADOOP_HOME", "")
		cluster, err := Locate(c.authority)
		if got := strings.Join(cluster.options.Addresses, " "); got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q: %q, %v; want %q", c.authority, got, err, c.want)
		}
	}
}

func TestSplitURL(t *testing.T) {
	for url, want := range map[string]string{
		"hdfs://nn1,nn2:8020/logs/%Y": "nn1,nn2:8020 /logs/%Y",
		"hdfs:///logs/%Y":             " /logs/%Y",
		"hdfs://nn1":                  "",
		"dir:/x":                      "",
	} {
		authority, pattern, err := SplitURL(url)
		if got := authority + " " + pattern; err == nil && got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v", url, got, err)
		}
	}
}

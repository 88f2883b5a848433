package hdfs

import (
	"os"
	"path/filepath"
	"testing"
)

// A region server finds the token of a name node by the name that Hadoop's own client would give it.
func TestATokensServiceIsNamedAsHadoopDoes(t *testing.T) {
	const ha = `<property><name>dfs.ha.namenodes.logs</name><value>a,b</value></property>
<property><name>dfs.namenode.rpc-address.logs.a</name><value>nn1:8020</value></property>
<property><name>dfs.namenode.rpc-address.logs.b</name><value>nn2:8020</value></property>`
	const byName = `<property><name>hadoop.security.token.service.use_ip</name><value>false</value></property>`
	for _, c := range []struct{ authority, settings, want string }{
		{"logs", ha, "ha-hdfs:logs"},
		{"logs", ha + byName, "ha-hdfs:logs"},
		{"127.0.0.1:8020", "", "127.0.0.1:8020"},
		{"localhost", "", "127.0.0.1:8020"},
		{"LocalHost:9000", byName, "localhost:9000"},
	} {
		dir := t.TempDir()
		for _, name := range []string{"core-site.xml", "hdfs-site.xml"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("<configuration>"+c.settings+"</configuration>"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("HADOOP_CONF_DIR", dir)
		where, err := Locate(c.authority)
		if err != nil {
			t.Fatal(err)
		}
		got, err := where.service.of(t.Context(), where.options.Addresses[0])
		if err != nil || got != c.want {
			t.Errorf("%s, %s: %q, %v, want %q", c.authority, c.settings, got, err, c.want)
		}
	}
}

package site

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t testing.TB, dir, name, properties string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("<?xml version=\"1.0\"?>\n<configuration>"+properties+"</configuration>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func one(name, value string) string {
	return "<property>\n <name>" + name + "</name><value> " + value + "\n</value></property>"
}

// HBase's files take precedence over Hadoop's, final properties are not replaced, and values refer
// to other properties.
func TestPrecedenceOfFilesIsHadoops(t *testing.T) {
	hadoop, hbase := t.TempDir(), t.TempDir()
	write(t, hadoop, "core-site.xml", one("a", "core")+one("realm", "EXAMPLE.COM")+"<property><name>f</name><value>kept</value><final>true</final></property>")
	write(t, hadoop, "hbase-site.xml", one("a", "hadoop")+one("b", "hadoop"))
	write(t, hbase, "hbase-site.xml", one("a", "hbase")+one("f", "lost")+one("principal", "hbase/_HOST@${realm}")+one("unknown", "${nobody}/x")+
		one("loop", "x${loop}")+one("quorum", "zk1, zk2,,zk3"))
	s, err := Load(func(name string) string {
		return map[string]string{"HADOOP_CONF_DIR": hadoop, "HBASE_CONF_DIR": hbase}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a": "hbase", "b": "hadoop", "f": "kept", "principal": "hbase/_HOST@EXAMPLE.COM", "unknown": "${nobody}/x", "missing": "",
	} {
		if got := s.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := s.List("quorum"); !slices.Equal(got, []string{"zk1", "zk2", "zk3"}) {
		t.Errorf("a list: %q", got)
	}
	if got := s.Get("loop"); !strings.HasPrefix(got, "xx") {
		t.Errorf("a value that names itself: %q", got)
	}
	if len(s.Files()) != 3 {
		t.Errorf("files %q", s.Files())
	}
}

func TestAMissingFileIsAnErrorOnlyIfItsDirectoryIsSet(t *testing.T) {
	if s, err := Load(func(string) string { return "" }); err != nil || s.Get("a") != "" {
		t.Errorf("%v, %q", err, s.Get("a"))
	}
	empty := t.TempDir()
	if _, err := Load(func(name string) string { return map[string]string{"HADOOP_CONF_DIR": empty}[name] }); err != nil {
		t.Errorf("Hadoop's directory without HBase's file: %v", err)
	}
	if _, err := Load(func(name string) string { return map[string]string{"HBASE_CONF_DIR": empty}[name] }); err == nil || !strings.Contains(err.Error(), "hbase-site.xml") {
		t.Errorf("HBase's directory without its file: %v", err)
	}
	write(t, empty, "hbase-site.xml", "<property>")
	if _, err := Load(func(name string) string { return map[string]string{"HBASE_CONF_DIR": empty}[name] }); err == nil || !strings.Contains(err.Error(), "no configuration of Hadoop's") {
		t.Errorf("a broken file: %v", err)
	}
}

// HDFS is configured by the files of HADOOP_CONF_DIR, or by those of HADOOP_HOME if it has none.
func TestHDFSIsConfiguredByOneDirectory(t *testing.T) {
	conf, home := t.TempDir(), t.TempDir()
	getenv := func(name string) string {
		return map[string]string{"HADOOP_CONF_DIR": conf, "HADOOP_HOME": home}[name]
	}
	if err := os.Mkdir(filepath.Join(home, "conf"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, "conf"), "core-site.xml", one("fs.defaultFS", "hdfs://home"))
	for want, files := range map[string]int{"hdfs://home": 0, "hdfs://prod": 2} {
		if files > 0 {
			write(t, conf, "core-site.xml", one("cluster", "prod"))
			write(t, conf, "hdfs-site.xml", one("fs.defaultFS", "hdfs://${cluster}"))
		}
		s, err := LoadHDFS(getenv)
		if got := s.Get("fs.defaultFS"); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
		for _, name := range []string{"core-site.xml", "hdfs-site.xml"} {
			if err := os.Remove(filepath.Join(conf, name)); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	write(t, conf, "hdfs-site.xml", "<property>")
	if _, err := LoadHDFS(getenv); err == nil || !strings.Contains(err.Error(), "hdfs-site.xml") {
		t.Errorf("a broken file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("<configuration>"+one("a", "${b}")+one("b", "${a}${a}${a}")+"</configuration>"), "a")
	f.Add([]byte(`<configuration><property><name>x</name><value>&lt;</value><final>true</final></property></configuration>`), "x")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		properties, err := parse(b)
		if err != nil {
			return
		}
		s := Site{values: map[string]property{}}
		for _, p := range properties {
			s.values[p.Name] = p
		}
		s.Get(name)
	})
}

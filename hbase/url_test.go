package hbase

import (
	"slices"
	"strings"
	"testing"
)

func TestURLs(t *testing.T) {
	for text, want := range map[string]struct {
		servers     []string
		root, table string
	}{
		"hbase://zk1/t":                            {[]string{"zk1:2181"}, "/hbase", "t"},
		"hbase://zk1,zk2,zk3:2182/web:accesslog":   {[]string{"zk1:2182", "zk2:2182", "zk3:2182"}, "/hbase", "web:accesslog"},
		"hbase://zk1:1,zk2:2/hbase-secure/a/t":     {[]string{"zk1:1", "zk2:2"}, "/hbase-secure/a", "t"},
		"hbase://[::1]:2181/default:t":             {[]string{"[::1]:2181"}, "/hbase", "t"},
		"hbase+rpc://m1,m2/t.x-y":                  {[]string{"m1:16000", "m2:16000"}, "", "t.x-y"},
		"hbase+rpc://m1:16001,m2/ns_1:t":           {[]string{"m1:16001", "m2:16000"}, "", "ns_1:t"},
		"hbase://zk1":                              {},
		"hbase://zk1/":                             {},
		"hbase://zk1/:t":                           {},
		"hbase://zk1/.t":                           {},
		"hbase://zk1/a b":                          {},
		"hbase:///t":                               {},
		"hbase://zk1,,zk2/t":                       {},
		"hbase://zk1:0/t":                          {},
		"hbase://zk1:port/t":                       {},
		"hbase+rpc://m1/hbase/t":                   {},
		"http://zk1/t":                             {},
		"":                                         {},
		"hbase://" + strings.Repeat("/", 10) + "t": {},
	} {
		u, err := ParseURL(text)
		if (err == nil) != (want.table != "") {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if err == nil && (!slices.Equal(u.addresses(), want.servers) || u.Root != want.root || u.Table != want.table) {
			t.Errorf("%s: %v, %s, %s", text, u.addresses(), u.Root, u.Table)
		}
	}
}

// hbase-site.xml has the settings that are not in a URL. There, unlike in a URL, a port belongs to one
// server only.
func TestTheSiteFileCompletesAURL(t *testing.T) {
	p := Place{Quorum: "zk1, zk2:2222 ,zk3", Port: 2100, Root: "/secure/"}
	for text, want := range map[string]struct {
		servers []string
		root    string
	}{
		"hbase:///web:t":      {[]string{"zk1:2100", "zk2:2222", "zk3:2100"}, "/secure"},
		"hbase:///other/t":    {[]string{"zk1:2100", "zk2:2222", "zk3:2100"}, "/other"},
		"hbase://zk9/t":       {[]string{"zk9:2181"}, "/secure"},
		"hbase://zk9/hbase/t": {[]string{"zk9:2181"}, "/hbase"},
		"hbase+rpc://m1/t":    {[]string{"m1:16000"}, ""},
		"hbase+rpc:///t":      {},
		"hbase:///":           {},
		"hbase:////web:t":     {[]string{"zk1:2100", "zk2:2222", "zk3:2100"}, "/secure"},
	} {
		u, err := p.ParseURL(text)
		if (err == nil) != (want.servers != nil) || err == nil && (!slices.Equal(u.addresses(), want.servers) || u.Root != want.root) {
			t.Errorf("%s: %v, %s, %v", text, u.addresses(), u.Root, err)
		}
	}
	if _, err := (Place{Quorum: "zk1,,zk2"}).ParseURL("hbase:///t"); err == nil {
		t.Error("a quorum with an empty name was accepted")
	}
}

func FuzzURL(f *testing.F) {
	f.Add("hbase://zk1,zk2:2181/hbase/web:accesslog")
	f.Add("hbase+rpc://[::1]:16000/t")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURL(text)
		if err == nil && (len(u.Servers) == 0 || u.Table == "" || u.Servers[0].Port == 0) {
			t.Errorf("%q: %+v", text, u)
		}
	})
}

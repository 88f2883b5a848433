package dfs

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/user"
	"strings"

	"github.com/colinmarc/hdfs/v2"
	"github.com/colinmarc/hdfs/v2/hadoopconf"
	kerberos "github.com/jcmturner/gokrb5/v8/client"
)

// Scheme begins an archive's URL.
const Scheme = "hdfs://"

const defaultPort = "8020"

// Cluster is how a cluster is reached.
type Cluster struct{ options hdfs.ClientOptions }

// NameNodes are host:port, all of one cluster.
func (c Cluster) NameNodes() []string { return c.options.Addresses }

// NeedsKerberos reports whether the configuration asks for it.
func (c Cluster) NeedsKerberos() bool { return c.options.KerberosClient != nil }

// Protection is what the configuration asks for on the way to data nodes:
// authentication, integrity, privacy, or "".
func (c Cluster) Protection() string { return c.options.DataTransferProtection }

// WithKerberos gives the cluster a client that is logged in.
func (c Cluster) WithKerberos(login *kerberos.Client) Cluster {
	c.options.KerberosClient = login
	return c
}

// SplitURL cuts hdfs://AUTHORITY/PATTERN. The pattern begins with a slash.
func SplitURL(s string) (authority, pattern string, err error) {
	rest, ok := strings.CutPrefix(s, Scheme)
	slash := strings.IndexByte(rest, '/')
	if !ok || slash < 0 {
		return "", "", fmt.Errorf("%s: write hdfs://NAMENODE1,NAMENODE2:8020/PATTERN, or hdfs:///PATTERN with HADOOP_CONF_DIR", s)
	}
	return rest[:slash], rest[slash:], nil
}

// Locate finds a cluster: name nodes as host[:port], the last one's port being that
// of those without; the name of a service of Hadoop's configuration
// (dfs.nameservices); or, if empty, fs.defaultFS. The configuration is that of
// HADOOP_CONF_DIR or HADOOP_HOME; it also says what a secured cluster asks for.
func Locate(authority string) (Cluster, error) {
	conf, err := hadoopconf.LoadFromEnvironment()
	if err != nil {
		return Cluster{}, fmt.Errorf("hadoop's configuration: %w", err)
	}
	if authority == "" {
		if authority, err = defaultAuthority(conf); err != nil {
			return Cluster{}, err
		}
	}
	o := hdfs.ClientOptionsFromConf(conf)
	if o.Addresses, err = nameNodes(conf, authority); err != nil {
		return Cluster{}, err
	}
	if o.KerberosClient != nil && o.DataTransferProtection == "" {
		o.DataTransferProtection = "authentication" // a data node ends a connection without any
	}
	if o.User = os.Getenv("HADOOP_USER_NAME"); o.User == "" {
		u, err := user.Current()
		if err != nil {
			return Cluster{}, fmt.Errorf("who we are is not known: %w; say it with HADOOP_USER_NAME", err)
		}
		o.User = u.Username
	}
	return Cluster{options: o}, nil
}

func defaultAuthority(conf hadoopconf.HadoopConf) (string, error) {
	for _, property := range []string{"fs.defaultFS", "fs.default.name"} {
		value := conf[property]
		if value == "" {
			continue
		}
		u, err := url.Parse(value)
		if err != nil || u.Scheme != "hdfs" || u.Host == "" {
			return "", fmt.Errorf("hadoop's configuration: %s is %q, which is no HDFS: name the name nodes", property, value)
		}
		return u.Host, nil
	}
	return "", fmt.Errorf("which name node? HADOOP_CONF_DIR has no core-site.xml with fs.defaultFS: name one, as in hdfs://nn1:8020/logs")
}

func nameNodes(conf hadoopconf.HadoopConf, authority string) ([]string, error) {
	if ids := conf["dfs.ha.namenodes."+authority]; ids != "" {
		var addresses []string
		for id := range strings.SplitSeq(ids, ",") {
			property := "dfs.namenode.rpc-address." + authority + "." + strings.TrimSpace(id)
			if conf[property] == "" {
				return nil, fmt.Errorf("hadoop's configuration: no %s", property)
			}
			addresses = append(addresses, conf[property])
		}
		return addresses, nil
	}
	hosts := strings.Split(authority, ",")
	port := defaultPort
	if _, p, err := net.SplitHostPort(hosts[len(hosts)-1]); err == nil {
		port = p
	}
	for i, host := range hosts {
		if host == "" || strings.ContainsAny(host, "@ %") {
			return nil, fmt.Errorf("name node %q: write host or host:port, with commas between", host)
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			hosts[i] = net.JoinHostPort(host, port)
		}
	}
	return hosts, nil
}

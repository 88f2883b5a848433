package hdfs

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/user"
	"strings"

	dfs "github.com/colinmarc/hdfs/v2"
	"github.com/colinmarc/hdfs/v2/hadoopconf"

	"sluice/hadoop/sasl"
	"sluice/hadoop/site"
)

// Scheme is the prefix of an archive's URL.
const Scheme = "hdfs://"

const defaultPort = "8020"

// Cluster has the name nodes and settings of a cluster.
type Cluster struct {
	options dfs.ClientOptions
	// Kerberos is the log-in that the configuration requires; nil: none.
	Kerberos *sasl.Config
	login    *sasl.Kerberos
	transfer []sasl.Protection // dfs.data.transfer.protection
	service  tokenService
}

// WithKerberos sets the client's log-in.
func (c Cluster) WithKerberos(login *sasl.Kerberos) Cluster {
	c.login = login
	return c
}

// SplitURL splits hdfs://AUTHORITY/PATTERN. The pattern begins with a slash.
func SplitURL(s string) (authority, pattern string, err error) {
	rest, ok := strings.CutPrefix(s, Scheme)
	slash := strings.IndexByte(rest, '/')
	if !ok || slash < 0 {
		return "", "", fmt.Errorf("%s: write hdfs://NAMENODE1,NAMENODE2:8020/PATTERN, or hdfs:///PATTERN with HADOOP_CONF_DIR", s)
	}
	return rest[:slash], rest[slash:], nil
}

// Locate finds a cluster: name nodes as host[:port], where the last one's port is that of those
// without one; the name of a name service of Hadoop's configuration (dfs.nameservices); or, if
// empty, fs.defaultFS. The configuration is that of HADOOP_CONF_DIR or HADOOP_HOME. It also has the
// settings of a secured cluster.
func Locate(authority string) (Cluster, error) {
	conf, err := site.LoadHDFS(os.Getenv)
	if err != nil {
		return Cluster{}, err
	}
	if authority == "" {
		if authority, err = defaultAuthority(conf); err != nil {
			return Cluster{}, err
		}
	}
	// All else that the configuration says is about the log-in, which is ours: see package
	// protection.
	const byName = "dfs.client.use.datanode.hostname"
	o := dfs.ClientOptionsFromConf(hadoopconf.HadoopConf{byName: conf.Get(byName)})
	if o.Addresses, err = nameNodes(conf, authority); err != nil {
		return Cluster{}, err
	}
	cluster := Cluster{service: newTokenService(conf, authority)}
	if conf.Is("hadoop.security.authentication", "kerberos") {
		if cluster.Kerberos, cluster.transfer, err = security(conf); err != nil {
			return Cluster{}, err
		}
	}
	if o.User = os.Getenv("HADOOP_USER_NAME"); o.User == "" {
		u, err := user.Current()
		if err != nil {
			return Cluster{}, fmt.Errorf("cannot find the user's name: %w; set HADOOP_USER_NAME", err)
		}
		o.User = u.Username
	}
	cluster.options = o
	return cluster, nil
}

// security returns the settings of Kerberos and protection.
func security(conf site.Site) (login *sasl.Config, transfer []sasl.Protection, err error) {
	const principal, rpc, data = "dfs.namenode.kerberos.principal", "hadoop.rpc.protection", "dfs.data.transfer.protection"
	if conf.Get(principal) == "" {
		return nil, nil, fmt.Errorf("hadoop's configuration: hadoop.security.authentication is kerberos, and there is no %s in hdfs-site.xml", principal)
	}
	login = &sasl.Config{ServerPrincipal: conf.Get(principal), PrincipalSetting: principal, ProtectionSetting: rpc}
	if login.Protections, err = protections(conf, rpc); err != nil {
		return nil, nil, err
	}
	transfer, err = protections(conf, data)
	return login, transfer, err
}

// protections parses a setting, in its order; none: whatever a server offers.
func protections(conf site.Site, setting string) (list []sasl.Protection, err error) {
	for word := range strings.SplitSeq(conf.Get(setting), ",") {
		switch p := sasl.Protection(strings.ToLower(strings.TrimSpace(word))); p {
		case sasl.Authentication, sasl.Integrity, sasl.Privacy:
			list = append(list, p)
		case "":
		default:
			return nil, fmt.Errorf("hadoop's configuration: %s is %q: allowed are authentication, integrity and privacy", setting, conf.Get(setting))
		}
	}
	return list, nil
}

func defaultAuthority(conf site.Site) (string, error) {
	for _, property := range []string{"fs.defaultFS", "fs.default.name"} {
		value := conf.Get(property)
		if value == "" {
			continue
		}
		u, err := url.Parse(value)
		if err != nil || u.Scheme != "hdfs" || u.Host == "" {
			return "", fmt.Errorf("hadoop's configuration: %s is %q, which is not an HDFS: give the name nodes", property, value)
		}
		return u.Host, nil
	}
	return "", fmt.Errorf("no name node given, and HADOOP_CONF_DIR has no core-site.xml with fs.defaultFS: name one, as in hdfs://nn1:8020/logs")
}

func nameNodes(conf site.Site, authority string) ([]string, error) {
	if ids := conf.Get("dfs.ha.namenodes." + authority); ids != "" {
		var addresses []string
		for id := range strings.SplitSeq(ids, ",") {
			property := "dfs.namenode.rpc-address." + authority + "." + strings.TrimSpace(id)
			if conf.Get(property) == "" {
				return nil, fmt.Errorf("hadoop's configuration: no %s", property)
			}
			addresses = append(addresses, conf.Get(property))
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

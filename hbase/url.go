package hbase

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"sluice/hbase/rpc"
)

// The schemes of a table's URL.
const (
	SchemeZooKeeper = "hbase"
	SchemeRPC       = "hbase+rpc"
)

const (
	defaultRoot       = "/hbase"
	defaultZooKeeper  = 2181
	defaultMasterPort = 16000
)

// URL is the location of a table:
//
//	hbase://zk1,zk2,zk3[:2181][/znode]/[NAMESPACE:]TABLE
//	hbase+rpc://master1,master2[:16000]/[NAMESPACE:]TABLE
//
// A server without a port has that of the last server, or the default.
type URL struct {
	Scheme  string
	Servers []rpc.Server // ZooKeeper's, or masters
	Root    string       // the cluster's node in ZooKeeper, such as /hbase
	Table   string       // with its namespace where it has one
}

// Place is the parts that a URL may leave out: ZooKeeper's servers and the cluster's node, as in
// hbase-site.xml.
type Place struct {
	Quorum string // hbase.zookeeper.quorum: zk1,zk2:2182
	Port   int    // of servers without one; 0: 2181
	Root   string // zookeeper.znode.parent; empty: /hbase
}

// ParseURL parses a complete URL of a table.
func ParseURL(text string) (URL, error) { return Place{}.ParseURL(text) }

// ParseURL parses a table's URL; hbase:///TABLE is one at this place.
func (p Place) ParseURL(text string) (u URL, err error) {
	scheme, rest, _ := strings.Cut(text, "://")
	u.Scheme = scheme
	port := defaultZooKeeper
	switch scheme {
	case SchemeRPC:
		port = defaultMasterPort
	case SchemeZooKeeper:
	default:
		return u, errURL(text, "it begins with neither hbase:// nor hbase+rpc://")
	}
	slash := strings.LastIndexByte(rest, '/')
	if slash < 0 {
		return u, errURL(text, "it has no table")
	}
	place, table := rest[:slash], rest[slash+1:]
	servers, root, _ := strings.Cut(place, "/")
	if servers == "" && scheme == SchemeZooKeeper {
		u.Servers, err = p.servers()
	} else {
		u.Servers, err = parseServers(servers, port)
	}
	if err != nil {
		return u, errURL(text, err.Error())
	}
	if u.Table, err = checkTable(table); err != nil {
		return u, errURL(text, err.Error())
	}
	switch {
	case scheme == SchemeRPC && root != "":
		return u, errURL(text, "masters have no path before the table")
	case scheme == SchemeZooKeeper && root == "":
		u.Root = cmp.Or(strings.TrimSuffix(p.Root, "/"), defaultRoot)
	case scheme == SchemeZooKeeper:
		u.Root = "/" + strings.TrimSuffix(root, "/")
	}
	return u, nil
}

// servers returns the quorum's servers. Unlike in a URL, a port is for one server only.
func (p Place) servers() (all []rpc.Server, err error) {
	if p.Quorum == "" {
		return nil, errors.New("it names no ZooKeeper server, and no hbase-site.xml (in the directory HBASE_CONF_DIR) has hbase.zookeeper.quorum")
	}
	for name := range strings.SplitSeq(p.Quorum, ",") {
		one, err := parseServers(strings.TrimSpace(name), cmp.Or(p.Port, defaultZooKeeper))
		if err != nil {
			return nil, fmt.Errorf("hbase.zookeeper.quorum: %w", err)
		}
		all = append(all, one...)
	}
	return all, nil
}

func errURL(text, why string) error {
	return fmt.Errorf("%s: %s: write hbase://zk1,zk2:2181/TABLE, or hbase+rpc://master1,master2:16000/TABLE", text, why)
}

func parseServers(text string, port int) ([]rpc.Server, error) {
	names := strings.Split(text, ",")
	servers := make([]rpc.Server, len(names))
	for i := len(names) - 1; i >= 0; i-- { // the last one's port is for those before it
		host := names[i]
		if strings.Contains(host, ":") {
			h, p, err := net.SplitHostPort(host)
			n, e := strconv.ParseUint(p, 10, 16)
			if err != nil || e != nil || n == 0 {
				return nil, fmt.Errorf("%q is not host:port", host)
			}
			host, port = h, int(n)
		}
		if host == "" || url.PathEscape(host) != host && !strings.Contains(host, ":") {
			return nil, fmt.Errorf("%q is not a host", host)
		}
		servers[i] = rpc.Server{Host: host, Port: port}
	}
	return servers, nil
}

const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// checkTable checks a name as HBase does: letters, digits, and in the table's part also - and .
// after the first; the prefix default: is removed.
func checkTable(name string) (string, error) {
	namespace, table, ok := strings.Cut(name, ":")
	if !ok {
		namespace, table = defaultNamespace, name
	}
	if namespace == "" || strings.Trim(namespace, nameBytes) != "" ||
		table == "" || strings.Trim(table, nameBytes+"-.") != "" || table[0] == '-' || table[0] == '.' {
		return "", fmt.Errorf("%q is not a table's name", name)
	}
	if namespace == defaultNamespace {
		return table, nil
	}
	return name, nil
}

const defaultNamespace = "default"

// splitName splits a table's name.
func splitName(name string) (namespace, table string) {
	if namespace, table, ok := strings.Cut(name, ":"); ok {
		return namespace, table
	}
	return defaultNamespace, name
}

// addresses returns the servers as host:port.
func (u URL) addresses() []string {
	var list []string
	for _, s := range u.Servers {
		list = append(list, s.Address())
	}
	return list
}

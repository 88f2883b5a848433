package main

import (
	"slices"
	"strings"
)

// hostList is the hosts of --host; nil selects all hosts. Host names are compared without case.
type hostList []string

func splitHosts(hosts string) hostList {
	var list hostList
	for host := range strings.SplitSeq(hosts, ",") {
		if host = strings.TrimSpace(host); host != "" {
			list = append(list, host)
		}
	}
	return list
}

func (l hostList) has(host string) bool {
	return slices.ContainsFunc(l, func(h string) bool { return strings.EqualFold(h, host) })
}

// check returns an error if a named host is not in known: a misspelt name would otherwise find
// nothing, or silently only the lines of the other hosts. there begins the error's explanation,
// such as "the table has". known is sorted and modified.
func (l hostList) check(there string, known []string) error {
	for _, host := range l {
		if !hostList(known).has(host) {
			slices.Sort(known)
			known = slices.DeleteFunc(slices.Compact(known), func(h string) bool { return h == "" })
			if len(known) == 0 {
				return usage("--host %s: %s no line of this host", host, there)
			}
			return usage("--host %s: %s no line of this host, only of: %s", host, there, strings.Join(known, ", "))
		}
	}
	return nil
}

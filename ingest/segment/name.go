package segment

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Name is a segment's path below the spool directory: HOST/PERIOD-SEQ.gz. The caller chooses the
// sequence numbers.
type Name struct {
	// Host is the host that wrote the lines; CheckHost must accept it.
	Host string
	// Period is the day of the lines in the log's own time zone: YYYYMMDD. If the archive's pattern
	// has shorter periods, the hour or the hour and minute follow: YYYYMMDDHHMM.
	Period string
	Seq    uint64
}

const (
	suffix = ".gz"
	// StoredSuffix marks a sealed segment that archive, table and checkpoint have, and that is only
	// kept for inspection.
	StoredSuffix = ".stored"
)

// String returns the slash-separated name of the sealed segment. The name of the open one has
// OpenSuffix added.
func (n Name) String() string {
	return n.Host + "/" + n.Period + "-" + strconv.FormatUint(n.Seq, 10) + suffix
}

// ParseName parses what String returns, with or without OpenSuffix; open reports which.
func ParseName(s string) (n Name, open bool, err error) {
	bare, open := strings.CutSuffix(s, OpenSuffix)
	host, file := path.Split(bare)
	n.Host = strings.TrimSuffix(host, "/")
	file, gz := strings.CutSuffix(file, suffix)
	period, seq, dash := strings.Cut(file, "-")
	n.Period = period
	n.Seq, err = strconv.ParseUint(seq, 10, 64)
	if !gz || !dash || err != nil || n.String() != bare {
		return Name{}, false, fmt.Errorf("segment: %q is not HOST/YYYYMMDD-SEQ.gz", s)
	}
	if err := n.check(); err != nil {
		return Name{}, false, err
	}
	return n, open, nil
}

// check returns an error if the host or the period cannot be part of a file name.
func (n Name) check() error {
	if err := CheckHost(n.Host); err != nil {
		return err
	}
	switch len(n.Period) {
	case len("YYYYMMDD"), len("YYYYMMDDHH"), len("YYYYMMDDHHMM"):
		if strings.Trim(n.Period, "0123456789") == "" {
			return nil
		}
	}
	return fmt.Errorf("segment: period %q is not YYYYMMDD, YYYYMMDDHH or YYYYMMDDHHMM", n.Period)
}

// maxHostBytes is the longest host name: the limit of DNS, which is less than the 255 bytes of a
// directory entry.
const maxHostBytes = 253

// CheckHost returns an error if the host name cannot be the name of a directory, because received
// names become paths here. It must be called where a name is received, so that a bad one is
// rejected there and its batches are not lost here.
func CheckHost(host string) error {
	reason := ""
	switch {
	case host == "":
		reason = "is empty"
	case len(host) > maxHostBytes:
		reason = fmt.Sprintf("has %d bytes, at most %d can be used", len(host), maxHostBytes)
	case host[0] == '.' || host[0] == '_':
		reason = "begins with . or _, which hides it from Hadoop's readers"
	case strings.ContainsFunc(host, func(r rune) bool { return r < ' ' || r == '/' || r == '\\' || r == 0x7f || r == 0xfffd }):
		reason = "holds a slash, a backslash, a control character or bytes that are no UTF-8"
	}
	if reason != "" {
		return fmt.Errorf("host name %q %s: give another with --host", host, reason)
	}
	return nil
}

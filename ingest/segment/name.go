package segment

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Name is a segment's place below the spool directory: HOST/PERIOD-SEQ.gz. Which
// sequence numbers to use is the caller's choice.
type Name struct {
	// Host wrote the lines; CheckHost accepts it.
	Host string
	// Period is the day of the lines, in the log's own zone: YYYYMMDD. Where the
	// archive's pattern cuts finer, the hour or hour and minute follow: YYYYMMDDHHMM.
	Period string
	Seq    uint64
}

const (
	suffix = ".gz"
	// StoredSuffix marks a sealed segment that archive, table and checkpoint have: it is only
	// kept to be looked at.
	StoredSuffix = ".stored"
)

// String is the slash-separated name of the sealed segment. Add OpenSuffix for
// that of the open one.
func (n Name) String() string {
	return n.Host + "/" + n.Period + "-" + strconv.FormatUint(n.Seq, 10) + suffix
}

// ParseName reads what String writes, with or without OpenSuffix; open says which.
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
	if err := n.Check(); err != nil {
		return Name{}, false, err
	}
	return n, open, nil
}

// Check reports a host or period that cannot be part of a file's name.
func (n Name) Check() error {
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

// maxHostBytes is the longest host name: DNS's limit, and within a directory
// entry's 255.
const maxHostBytes = 253

// CheckHost refuses a host name that would not be one plain directory: user
// input becomes a path here. It is for the side that takes the name in, so that a
// bad one is an error there and not a lost batch here.
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

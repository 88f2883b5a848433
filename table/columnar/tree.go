package columnar

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"sluice/archive"
)

// Suffix is the suffix of a table's file.
const Suffix = ".parquet"

const (
	dayElement  = "day="
	hostElement = "host="
	dayLayout   = "20060102"
	// zoneMargin is the maximum difference of a line's day from that of UTC: Apache writes a zone
	// as four digits, and a line may have 9959.
	zoneMargin = 100 * time.Hour
)

// isTableFile reports whether a file of the tree belongs to the table.
func isTableFile(name string) bool { return strings.HasSuffix(name, Suffix) }

// DirOf returns the directory of a name, "" for the root.
func DirOf(name string) string {
	if dir := path.Dir(name); dir != "." {
		return dir
	}
	return ""
}

// Partition is the information in a directory's name about the rows below it. Fields that are not
// in the name are empty.
type Partition struct {
	// Day is YYYYMMDD, the day of the lines in the log's own zone.
	Day string
	// Host is the host of the lines.
	Host string
}

// parsePartition finds day=YYYYMMDD and host=NAME among the elements of a directory.
func parsePartition(dir string) Partition {
	var p Partition
	for element := range strings.SplitSeq(dir, "/") {
		if day, ok := strings.CutPrefix(element, dayElement); ok {
			if _, err := time.Parse(dayLayout, day); err == nil {
				p.Day = day
			}
		}
		if host, ok := strings.CutPrefix(element, hostElement); ok {
			if host, err := url.PathUnescape(host); err == nil {
				p.Host = host
			}
		}
	}
	return p
}

// PartitionsOf returns a parser for the directories of a pattern. A directory above them is parsed
// with parsePartition.
func PartitionsOf(pattern archive.Pattern) func(dir string) Partition {
	matcher := pattern.Matcher()
	return func(dir string) Partition {
		if p := parsePartition(dir); p.Day != "" && p.Host != "" { // the fast path, as there are thousands
			return p
		}
		m, ok := matcher.Match(path.Join(dir, "file"))
		if !ok {
			return parsePartition(dir)
		}
		p := Partition{Host: m.Labels["host"]}
		if !m.Time.IsZero() {
			p.Day = m.Time.Format(dayLayout)
		}
		return p
	}
}

// wantPartition reports whether a directory may have rows within the bounds. Rows without a time,
// which have time 0, can be in the directory of any day.
func (b Bounds) wantPartition(p Partition) bool {
	if p.Host != "" && len(b.Hosts) > 0 && !slices.Contains(b.Hosts, p.Host) {
		return false
	}
	if p.Day == "" || b.From <= 0 {
		return true
	}
	day, err := time.Parse(dayLayout, p.Day)
	if err != nil {
		return true
	}
	first, end := day.Add(-zoneMargin), day.AddDate(0, 0, 1).Add(zoneMargin)
	return end.UnixNano() > b.From && (b.To <= 0 || first.UnixNano() < b.To)
}

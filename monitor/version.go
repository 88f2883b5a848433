package monitor

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// buildsApart is the time between the commits of two development builds from which they count as
// different versions, as releases do that differ by more than a minor version.
const buildsApart = 30 * 24 * time.Hour

// otherVersion returns a problem if the agent's version differs from this process's: releases by more
// than one minor version, development builds by buildsApart. Builds that cannot be compared must be
// the same.
func (h *Host) otherVersion(ours string) []Problem {
	name, theirs, _ := strings.Cut(h.Agent, " ")
	if name != "sluice" || theirs == ours {
		return nil
	}
	is := "another build"
	if apart, order, ok := compareVersions(theirs, ours); ok && !apart {
		return nil
	} else if ok && order < 0 {
		is = "older"
	} else if ok {
		is = "newer"
	}
	return []Problem{OtherVersion.New(fmt.Sprintf("its agent is %s: version %.100s, this is %s", is, theirs, ours))}
}

// compareVersions reports whether two versions are so far apart that they are reported, and their
// order. ok is false if they cannot be compared.
func compareVersions(a, b string) (apart bool, order int, ok bool) {
	if a, aOK := minorOf(a); aOK {
		b, bOK := minorOf(b)
		order = cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
		return a[0] != b[0] || max(a[1]-b[1], b[1]-a[1]) > 1, order, bOK
	}
	first, aOK := committedAt(a)
	second, bOK := committedAt(b)
	return first.Sub(second).Abs() >= buildsApart, first.Compare(second), aOK && bOK
}

// minorOf returns the first two numbers of a release: 1.4 of "v1.4.2 0123abc". A version that is made
// from a commit before the first release (v0.0.0-2026…) has none.
func minorOf(version string) (v [2]int, ok bool) {
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "v"), " ")
	if strings.HasPrefix(version, "0.0.0") {
		return v, false
	}
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return v, false
	}
	for i := range v {
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 0 {
			return v, false
		}
		v[i] = n
	}
	return v, true
}

// committedAt returns the time of the commit that a development build is made from, as in
// v0.0.0-20261129133456-0123456789ab.
func committedAt(version string) (at time.Time, ok bool) {
	rest, ok := strings.CutPrefix(version, "v0.0.0-")
	if !ok {
		return at, false
	}
	digits, _, _ := strings.Cut(rest, "-")
	at, err := time.Parse("20060102150405", digits)
	return at, err == nil
}

package archive

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// abandonedAfter is the age, by the store's own clock, at which a temporary file of another
	// owner cannot belong to a running upload.
	abandonedAfter = 24 * time.Hour
	// MaxUploadTime bounds one attempt to upload a file where its time does not change with each
	// write, as in HDFS, so that no running upload is as old as abandonedAfter.
	MaxUploadTime = 12 * time.Hour
	// ownerEnd ends the owner's id in the name of a temporary file.
	ownerEnd = "~"
)

// TempNames makes the names of one process's files in TmpDir, OWNER~START-N, and finds the owner of
// a file. It is safe for concurrent use.
type TempNames struct {
	owner, own string // OWNER~, and OWNER~START-
	next       atomic.Uint64
}

// NewTempNames returns the names of a process of the owner, the id of a collector.
func NewTempNames(owner string) (*TempNames, error) {
	if owner == "" || strings.Contains(owner, ownerEnd) {
		return nil, fmt.Errorf("owner id %q: it must not be empty or hold a %s", owner, ownerEnd)
	}
	prefix := pathElement(owner) + ownerEnd
	return &TempNames{owner: prefix, own: prefix + strconv.FormatInt(time.Now().UnixNano(), 36) + "-"}, nil
}

// Next returns a name that no process of any owner has used.
func (t *TempNames) Next() string { return t.own + strconv.FormatUint(t.next.Add(1), 10) }

// TempOwner is the owner of a file in TmpDir.
type TempOwner uint8

const (
	// TempForeign is a file that no archive made.
	TempForeign TempOwner = iota
	// TempOwn is a file of this process.
	TempOwn
	// TempEarlier is a file of an earlier process of the same owner.
	TempEarlier
	// TempOther is a file of another owner.
	TempOther
)

// OwnerOf returns the owner by the file's name.
func (t *TempNames) OwnerOf(name string) TempOwner {
	switch {
	case strings.HasPrefix(name, t.own):
		return TempOwn
	case strings.HasPrefix(name, t.owner):
		return TempEarlier
	case strings.Contains(name, ownerEnd):
		return TempOther
	}
	return TempForeign
}

// Abandoned reports whether a temporary file of another owner, last changed at a time, can be
// removed. Both times must be of the store's clock.
func Abandoned(changed, now time.Time) bool { return now.Sub(changed) >= abandonedAfter }

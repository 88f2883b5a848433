package bulkload

import (
	"errors"
	"strings"

	"sluice/hbase/region"
	"sluice/hbase/rpc"
)

// verdict is what follows an attempt to load a file.
type verdict uint8

const (
	// loaded: the region has the rows.
	loaded verdict = iota
	// again: repeat the call at the same server after a pause.
	again
	// locate: the region may have moved or changed; locate it, and cut the file if it now crosses a
	// border.
	locate
	// stage: the file is not where it was uploaded: upload it, and load it again.
	stage
	// puts: loading cannot succeed; the rows go to the table's Put.
	puts
	// fail: Put would fail, too.
	fail
)

var verdictNames = [...]string{loaded: "loaded", again: "retry", locate: "locate the region again", stage: "upload again", puts: "write the rows with Put", fail: "give up"}

func (v verdict) String() string { return verdictNames[v] }

// attempt is an attempt to load a file and its outcome.
type attempt struct {
	answer bool  // of the server: loaded
	err    error // of the call
	staged bool  // the file is where it was uploaded
	tries  int   // attempts with this file whose failure has no known end, this one included
}

// maxTries bounds those attempts, and with them the copies of a file that a region may get.
const maxTries = 8

// decide decides what follows an attempt.
func decide(a attempt) verdict {
	var remote *rpc.RemoteError
	switch {
	case a.err == nil && a.answer:
		return loaded // the only proof: the region's log and list of files have it
	case a.tries >= maxTries:
		return puts // whatever it is, it lasts, or copies of the file pile up in the region
	case a.err == nil && !a.staged:
		// An earlier call, whose answer was lost, has loaded the file; or a server that had lost
		// the region has moved it, and no server serves it. The same rows again are the same rows.
		return stage
	case a.err == nil:
		return locate // outside the region after a split, or a right in HDFS is missing
	case errors.As(a.err, &remote) && refuses(remote):
		return puts
	}
	switch region.Classify(a.err) {
	case rpc.GiveUp:
		return fail // disabled, dropped, cancelled, not authenticated: Put has the same connection
	case rpc.RefuseRow:
		return puts // a do-not-retry error that is not about the table: this request never succeeds
	case rpc.Locate, rpc.Reopen:
		if !a.staged {
			return stage // the answer was lost: as above
		}
		return locate
	}
	if !a.staged {
		return stage // the server has moved it and failed after that
	}
	return again // busy, opening, unknown
}

// refuses reports whether the server rejects loading itself, where it may still accept Put.
func refuses(e *rpc.RemoteError) bool {
	switch e.Class[strings.LastIndexByte(e.Class, '.')+1:] {
	case "AccessDeniedException": // ADMIN or CREATE is missing; Put needs WRITE
		return true
	case "UnsupportedOperationException": // a proxy, or a server without the method
		return true
	}
	return false
}

package tail

import (
	"sluice/ingest/logfile"
)

// directory is a directory that a source names.
type directory struct {
	path      string
	id        logfile.ID
	wd        int32
	matchers  []*matcher
	byBase    map[string]*matcher // of sources with Rotations; they may be thousands
	files     map[string]*file    // by name
	listed    bool                // its present content is known
	links     bool                // a log in it is a symbolic link
	unwatched bool                // no watch was available: it is listed every dirsInterval
	// unseen are the names for which stat fails, for example a symbolic link into a directory
	// without permission, or to itself. They are tried again with the listings.
	unseen map[string]*failure
	strays map[string]*stray // by name
	failure
}

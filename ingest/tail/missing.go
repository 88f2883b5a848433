package tail

import (
	"path/filepath"
	"slices"

	"sluice/ingest/checkpoint"
)

// findMissing searches for the logs that the checkpoint has and no listing shows: they were
// renamed, copied or compressed while no process ran, or deleted. Files with a rotation's name are
// assigned before all other files are compared, because copies of logs that begin alike differ only
// in their names.
func (sr *searcher) findMissing() {
	for _, s := range sr.cfg.Checkpoint.Streams() {
		known := s.GoneUnix != 0 && s.SeenBytes-s.LostBytes <= sr.streams.position(s)
		if s.Host == sr.cfg.Host && !known && sr.set.fileOf(s) == nil && !slices.Contains(sr.streams.missing, s) {
			sr.streams.missing = append(sr.streams.missing, s)
		}
	}
	sr.seekMissing()
}

// seekMissing searches for the missing logs whose directories could be listed.
func (sr *searcher) seekMissing() {
	var later, sought []*checkpoint.Stream
	for _, s := range sr.streams.missing {
		switch d := sr.directories.byPath[filepath.Dir(s.Path)]; {
		case d == nil: // no source names it any more
		case !d.listed:
			later = append(later, s)
		default:
			sought = append(sought, s)
		}
	}
	sr.streams.missing = later
	starved := map[*checkpoint.Stream]error{}
	for _, search := range []func(*quest) bool{sr.searchNames, sr.searchAll} {
		sought = slices.DeleteFunc(sought, func(s *checkpoint.Stream) bool {
			if sr.set.fileOf(s) != nil {
				return true
			}
			d := sr.directories.byPath[filepath.Dir(s.Path)]
			m := d.match(filepath.Base(s.Path))
			if m == nil {
				m = d.matchers[0]
			}
			q := &quest{stream: s, path: s.Path, source: m, position: sr.streams.position(s)}
			found := search(q)
			if q.err != nil {
				starved[s] = q.err
			}
			return found
		})
	}
	for _, s := range sought {
		if err := starved[s]; err != nil {
			sr.descriptors.pressed(err)
			sr.streams.missing = append(sr.streams.missing, s)
			continue
		}
		sr.streams.notFound(s)
	}
}

package tail

import (
	"path/filepath"
	"slices"

	"sluice/ingest/checkpoint"
)

// findMissing looks for the logs that the checkpoint knows and no listing shows:
// renamed, copied or compressed while nobody looked, or deleted. Those with a copy
// of a rotation's name take it before the others look at all files: copies of logs
// that begin alike are told apart by their names.
func (sr *searcher) findMissing() {
	for _, s := range sr.cfg.Checkpoint.Streams() {
		known := s.GoneUnix != 0 && s.SeenBytes-s.LostBytes <= sr.streams.position(s)
		if s.Host == sr.cfg.Host && !known && sr.set.fileOf(s) == nil && !slices.Contains(sr.streams.missing, s) {
			sr.streams.missing = append(sr.streams.missing, s)
		}
	}
	sr.seekMissing()
}

// seekMissing looks for the missing logs whose directories could be listed.
func (sr *searcher) seekMissing() {
	var later, sought []*checkpoint.Stream
	for _, s := range sr.streams.missing {
		switch d := sr.discovery.dirs[filepath.Dir(s.Path)]; {
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
			d := sr.discovery.dirs[filepath.Dir(s.Path)]
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
			sr.set.pressed(err)
			sr.streams.missing = append(sr.streams.missing, s)
			continue
		}
		sr.streams.notFound(s)
	}
}

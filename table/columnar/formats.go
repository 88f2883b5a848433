package columnar

import "sluice/schema"

// Formats returns a stream for each format and time zone of the snapshot's rows: a stream whose
// format changed has rows of several.
func (s *Snapshot) Formats() []schema.Stream {
	type format struct{ text, zone string }
	seen := map[format]bool{}
	var list []schema.Stream
	add := func(stream *schema.Stream) {
		if f := (format{stream.Format, stream.Zone}); !seen[f] {
			seen[f] = true
			list = append(list, *stream)
		}
	}
	for _, p := range s.parts {
		for i := range p.meta.Streams {
			add(&p.meta.Streams[i].Stream)
		}
	}
	for _, f := range s.fresh {
		for _, m := range f.members {
			add(&m.entry.Stream)
		}
	}
	return list
}

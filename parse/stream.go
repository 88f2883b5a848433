package parse

import (
	"fmt"
	"time"

	"sluice/schema"
)

// OfStream compiles the format that a stream's lines are in, with the stream's time
// zone. The error names the stream.
func OfStream(s *schema.Stream) (*Format, error) {
	f, err := LookupIn(s.Format, s.Zone)
	if err != nil {
		return nil, fmt.Errorf("stream %s (%s of %s): %w", s.ID, s.Path, s.Host, err)
	}
	return f, nil
}

// LookupIn is Lookup with the name of a time zone; empty is UTC.
func LookupIn(text, zone string) (*Format, error) {
	location, err := time.LoadLocation(zone)
	if err != nil {
		return nil, err
	}
	return Lookup(text, location)
}

// Formats are compiled formats of streams. Most streams are of a few formats, so that each
// is compiled once. It may not be used by several goroutines at the same time.
type Formats map[formatKey]*Format

type formatKey struct{ text, zone string }

// Of is OfStream, remembered.
func (known Formats) Of(s *schema.Stream) (*Format, error) {
	key := formatKey{s.Format, s.Zone}
	if f := known[key]; f != nil {
		return f, nil
	}
	f, err := OfStream(s)
	if err == nil {
		known[key] = f
	}
	return f, err
}

package index

import (
	"context"
	"fmt"
	"path"
	"sync"

	"sluice/archive"
	"sluice/ingest/segment"
	"sluice/parse"
	"sluice/schema"
)

// Problem is an error in an archive.
type Problem struct {
	File   string // "": a problem of the stream
	Stream schema.StreamID
	Range  schema.Range
	Text   string
}

func (p Problem) String() string {
	switch {
	case p.Stream == 0:
		return fmt.Sprintf("%s: %s", p.File, p.Text)
	case p.File == "":
		return fmt.Sprintf("stream %s: bytes %v: %s", p.Stream, p.Range, p.Text)
	}
	return fmt.Sprintf("%s: stream %s: bytes %v: %s", p.File, p.Stream, p.Range, p.Text)
}

// Verify reads everything, and reports problems in the order of files and streams: members whose
// checksums are wrong, bytes that are no member, lines in a file of another host, label or period,
// gaps, and ranges that are there twice.
func (c *Catalog) Verify(ctx context.Context, pattern archive.Pattern, report func(Problem)) error {
	found := make([][]Problem, len(c.Files))
	for i := range c.Files {
		found[i] = c.fileProblems(&c.Files[i])
	}
	workers := make([]verifier, Workers())
	for i := range workers {
		workers[i] = verifier{catalog: c, pattern: pattern, file: -1, formats: map[schema.StreamID]*parse.Format{}}
	}
	var mu sync.Mutex
	err := c.Walk(ctx, func(worker int, i int32, data []byte, bad *segment.FormatError) error {
		m := &c.Members[i]
		text, err := "", error(nil)
		if bad != nil {
			text = bad.Error()
		} else {
			text, err = workers[worker].check(m, data)
		}
		if text != "" {
			mu.Lock()
			found[m.File] = append(found[m.File], Problem{c.Files[m.File].Name, m.Stream, m.Range, text})
			mu.Unlock()
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, problems := range found {
		for _, p := range problems {
			report(p)
		}
	}
	for _, id := range c.StreamIDs() {
		c.streamProblems(c.Streams[id], report)
	}
	return nil
}

// fileProblems returns the problems that the headers show.
func (c *Catalog) fileProblems(f *File) (found []Problem) {
	for _, d := range f.Damage {
		found = append(found, Problem{File: f.Name, Text: fmt.Sprintf("%d bytes at byte %d are not a gzip member of sluice: %s", d.Bytes, d.Offset, d.Reason)})
	}
	if f.Misplaced && !f.Foreign {
		found = append(found, Problem{File: f.Name, Text: "its name does not match the archive's pattern"})
	}
	if f.Mixed {
		found = append(found, Problem{File: f.Name, Text: "it has lines with other labels than its first line"})
	}
	return found
}

// streamProblems reports gaps and duplicate ranges.
func (c *Catalog) streamProblems(s *Stream, report func(Problem)) {
	for _, hole := range c.Holes(s) {
		report(Problem{Stream: s.Entry.ID, Range: hole, Text: "missing"})
	}
	for _, d := range c.Doubled(s, nil) {
		report(Problem{c.Files[d.File].Name, s.Entry.ID, d.Range, "is in the archive twice"})
	}
}

// verifier checks the lines of members whose checksums are right.
type verifier struct {
	catalog *Catalog
	pattern archive.Pattern
	place   Place // of the file
	file    int32
	formats map[schema.StreamID]*parse.Format // nil: unknown format
	rec     schema.Record
}

// check returns what is wrong with a member's lines, "" if nothing is.
func (v *verifier) check(m *Member, data []byte) (string, error) {
	s, f := v.catalog.Streams[m.Stream], &v.catalog.Files[m.File]
	if !s.Described || f.Misplaced {
		return "", nil
	}
	format, known := v.formats[m.Stream]
	if !known {
		var err error
		if format, err = parse.OfStream(&s.Entry.Stream); err != nil {
			return err.Error(), nil
		}
		v.formats[m.Stream] = format
	}
	if f.Host != s.Entry.Host {
		return fmt.Sprintf("lines of host %s in a file of %s", s.Entry.Host, f.Host), nil
	}
	if v.file != m.File {
		v.file, v.place = m.File, NewPlace(v.pattern, f.Host, f.Labels)
	}
	wrong, example := 0, ""
	want := path.Dir(f.Name)
	for offset, line := range Lines(data, m.Range.Start) {
		format.Parse(line, &v.rec)
		if !v.rec.Dated { // belongs to the directory of the line before it
			continue
		}
		dir, err := v.place.Dir(&v.rec)
		if err != nil {
			return "", err
		}
		if dir != want {
			if wrong++; wrong == 1 {
				example = fmt.Sprintf("the line at byte %d belongs in %s", offset, dir)
			}
		}
	}
	if wrong > 0 {
		return fmt.Sprintf("%s, and so do %d of its %d lines", example, wrong, m.Lines), nil
	}
	return "", nil
}

package columnar

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sluice/ingest/segment"
	"sluice/schema"
)

// freshSegment is a segment of the spool, held open, up to its length when it was opened. Its file
// may be sealed, archived and removed meanwhile.
type freshSegment struct {
	*os.File
	path    string
	open    bool // it was being written
	size    int64
	members []freshMember
}

// freshMember is a member of a fresh segment, with its counted ranges.
type freshMember struct {
	segment.Member
	entry  *schema.StreamEntry // shared with the stream's other members
	counts []schema.Range
}

// openFresh opens the segments of a spool that may have rows within the bounds. A missing directory
// is an empty spool.
func openFresh(dir string, b Bounds) (list []*freshSegment, err error) {
	defer func() {
		if err != nil {
			for _, f := range list {
				err = errors.Join(err, f.Close())
			}
			list = nil
		}
	}()
	// One listing may miss a segment that is renamed meanwhile; a second one cannot, as each is
	// renamed once, and removed only when the tree has it.
	names := map[string]bool{}
	for range 2 {
		if err := spoolNames(dir, names); err != nil {
			return nil, err
		}
	}
	var r segment.Reader
	for name := range names {
		if n, _, err := segment.ParseName(filepath.ToSlash(name)); err != nil || !b.wantSegment(n) {
			continue // not a segment
		}
		f, err := openSegment(filepath.Join(dir, name), &r)
		if err != nil {
			return list, err
		}
		if f != nil {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b *freshSegment) int { return strings.Compare(a.path, b.path) })
	return list, nil
}

// spoolNames adds the names of the segments, HOST/PERIOD-SEQ.gz, sealed or not.
func spoolNames(dir string, names map[string]bool) error {
	paths, err := fs.Glob(os.DirFS(dir), "*/*.gz*")
	if err != nil {
		return fmt.Errorf("spool %s: %w", dir, err)
	}
	for _, path := range paths {
		names[strings.TrimSuffix(path, segment.OpenSuffix)] = true
	}
	return nil
}

func (b Bounds) wantSegment(n segment.Name) bool {
	return b.wantPartition(Partition{Day: n.Period[:len(dayLayout)], Host: n.Host})
}

// openSegment opens a segment by its current name; nil if it was removed: it is in the tree, or was
// empty. It uses r's memory.
func openSegment(path string, r *segment.Reader) (*freshSegment, error) {
	for _, try := range []string{path + segment.OpenSuffix, path} {
		file, err := os.Open(try)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
		f := &freshSegment{File: file, path: path, open: try != path}
		if err = f.readHeaders(r); err == nil && f.open {
			err = f.cutTorn(r)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("spool: %s: %w", try, err), file.Close())
		}
		return f, nil
	}
	return nil, nil
}

// readHeaders finds the complete members. Bytes after the last one are being written.
func (f *freshSegment) readHeaders(r *segment.Reader) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	f.size = info.Size()
	streams := map[schema.StreamID]*schema.StreamEntry{}
	r.Reset(f, f.size)
	for {
		m, err := r.Next()
		var torn *segment.FormatError
		if err == io.EOF || errors.As(err, &torn) && f.open {
			return nil
		}
		if err != nil {
			return err
		}
		if m.EntryBytes > 0 {
			e, err := r.Entry()
			if errors.As(err, &torn) && f.open {
				return nil
			}
			if err != nil {
				return err
			}
			streams[m.Stream] = &e // its format may have changed
		}
		if streams[m.Stream] == nil {
			return fmt.Errorf("the member at byte %d is of stream %s, which the segment does not describe", m.Offset, m.Stream)
		}
		f.members = append(f.members, freshMember{Member: m, entry: streams[m.Stream]})
	}
}

// cutTorn removes members at the end whose data is incomplete, after a crash and before the
// collector's next start.
func (f *freshSegment) cutTorn(r *segment.Reader) error {
	r.Reset(f, f.size)
	for n := len(f.members); n > 0; n-- {
		r.At(f.members[n-1].Member)
		_, err := r.Data()
		var torn *segment.FormatError
		if !errors.As(err, &torn) {
			return err
		}
		f.members = f.members[:n-1]
	}
	return nil
}

// count sets the counted ranges of each member.
func (f *freshSegment) count(c coverage) {
	counted := f.members[:0]
	for _, m := range f.members {
		if m.counts = c.add(m.Stream, m.Range); len(m.counts) > 0 {
			counted = append(counted, m)
		}
	}
	f.members = counted
}

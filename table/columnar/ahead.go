package columnar

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/archive"
	"sluice/ingest/segment"
)

// Ahead makes columns of the lines of open segments before the segments are sealed, so that a query
// need not read a hundred megabytes of lines. Its files are in a directory beside the spool, and
// only repeat the spool, so they may be lost at any time. It is not safe for concurrent use; only
// one process may use it.
type Ahead struct {
	spool string
	bytes int64 // of lines without columns at which columns are made
	begun bool
	next  int
	size  int64 // of the spool, when it was last read
}

// DefaultAheadBytes bounds the bytes of lines of open segments without columns: a query reads them
// in less than 200 ms.
const DefaultAheadBytes = 12 << 20

// NewAhead returns an Ahead for a spool, which makes columns for more than this number of bytes of
// lines.
func NewAhead(spool string, bytes int64) *Ahead { return &Ahead{spool: spool, bytes: bytes} }

// aheadDir returns the directory with the columns of a spool's open segments.
func aheadDir(spool string) string { return filepath.Clean(spool) + "-ahead" }

// Step makes columns if there are many lines without, and removes columns of segments that left the
// spool.
func (a *Ahead) Step(ctx context.Context) (err error) {
	if !a.begun { // the files of an earlier process are unknown
		if err := os.RemoveAll(aheadDir(a.spool)); err != nil {
			return fmt.Errorf("columns ahead: %w", err)
		}
		a.begun = true
	}
	size, err := spoolSize(a.spool)
	if err != nil || max(size-a.size, a.size-size) < a.bytes/16 {
		return err
	}
	a.size = size
	s := &Snapshot{table: OpenTable(localFiles{}, TableOptions{})}
	defer func() { err = errors.Join(err, s.Close()) }()
	if s.fresh, err = openFresh(a.spool, Bounds{}); err != nil {
		return err
	}
	files, err := s.table.openAhead(ctx, a.spool)
	if err != nil {
		return err
	}
	s.footers = files
	if files, err = removeStale(files, s.fresh); err != nil {
		return err
	}
	covered := coverage{}
	for _, f := range files {
		covered.take(f, nil)
	}
	var bytes int64
	for _, f := range s.fresh {
		f.count(covered)
		for _, m := range f.members {
			for _, r := range m.counts {
				bytes += r.Len()
			}
		}
	}
	if bytes < a.bytes {
		return nil
	}
	return a.write(ctx, s.fresh)
}

// spoolSize returns the number of bytes of a spool's segments.
func spoolSize(dir string) (n int64, err error) {
	names := map[string]bool{}
	if err := spoolNames(dir, names); err != nil {
		return 0, err
	}
	for name := range names {
		for _, try := range []string{name + segment.OpenSuffix, name} {
			if info, err := os.Stat(filepath.Join(dir, try)); err == nil {
				n += info.Size()
				break
			}
		}
	}
	return n, nil
}

// removeStale removes the files without a range in the spool: their rows are in the tree.
func removeStale(files []*footer, fresh []*freshSegment) (kept []*footer, err error) {
	spooled := coverage{}
	for _, f := range fresh {
		for _, m := range f.members {
			spooled.add(m.Stream, m.Range)
		}
	}
	for _, f := range files {
		if f.needed(spooled) {
			kept = append(kept, f)
			continue
		}
		if err := os.Remove(f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("columns ahead: %w", err)
		}
	}
	return kept, nil
}

// needed reports whether a range of the file is in the spool.
func (f *footer) needed(spooled coverage) bool {
	for i := range f.meta.Streams {
		m := &f.meta.Streams[i]
		set := spooled[m.Stream.ID]
		if set != nil && slices.ContainsFunc(m.Ranges, func(r RangeMeta) bool { return set.Common(r.Range) > 0 }) {
			return true
		}
	}
	return false
}

// write makes a file of the counted rows of the segments.
func (a *Ahead) write(ctx context.Context, fresh []*freshSegment) error {
	dir := aheadDir(a.spool)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("columns ahead: %w", err)
	}
	a.next++
	name := filepath.Join(dir, fmt.Sprintf("%d-%d%s", time.Now().UnixNano(), a.next, Suffix))
	f, err := os.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return fmt.Errorf("columns ahead: %w", err)
	}
	out := bufio.NewWriterSize(f, 1<<20)
	w := NewWriter(out, WriterOptions{})
	r := &freshReader{}
	for _, s := range fresh {
		if err = r.copy(ctx, s, w); err != nil {
			break
		}
	}
	if err == nil {
		_, err = w.Close()
	}
	err = errors.Join(err, out.Flush(), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(name+".tmp", name)
	}
	if err != nil {
		return fmt.Errorf("columns ahead: %w", errors.Join(err, os.Remove(name+".tmp")))
	}
	return nil
}

// copy adds the counted rows of a segment to a file.
func (r *freshReader) copy(ctx context.Context, f *freshSegment, w *Writer) error {
	r.open(f)
	for _, m := range f.members {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.reader.At(m.Member)
		data, err := r.reader.Data()
		if err != nil {
			return err
		}
		s, err := r.stream(m.entry)
		if err != nil {
			return err
		}
		for _, part := range m.counts {
			s.chunk.Reset()
			bad := r.lines(s, data[part.Start-m.Range.Start:part.End-m.Range.Start], part.Start)
			if err := w.Append(&m.entry.Stream, m.entry.Labels, part, bad, &s.chunk); err != nil {
				return err
			}
		}
	}
	return nil
}

// openAhead opens the columns of a spool's open segments, and holds them open. A file that is
// removed meanwhile, or cannot be read, is ignored: its lines are in the spool or in the tree.
func (t *Table) openAhead(ctx context.Context, spool string) ([]*footer, error) {
	entries, err := os.ReadDir(aheadDir(spool))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("columns ahead: %w", err)
	}
	local := &Table{store: localFiles{}, o: t.o}
	var footers []*footer
	for _, e := range entries {
		info, err := e.Info()
		if !strings.HasSuffix(e.Name(), Suffix) || err != nil {
			continue
		}
		f, err := local.readFooter(ctx, archive.File{Name: filepath.Join(aheadDir(spool), e.Name()), Bytes: info.Size()}, true)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, ErrFile):
			t.o.Log.Warn("columns of open segments are damaged and not used", "path", e.Name(), "err", err)
		case err != nil:
			return nil, errors.Join(err, dropAll(footers))
		default:
			footers = append(footers, f)
		}
	}
	return footers, nil
}

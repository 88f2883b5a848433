package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/archive"
	"sluice/archive/index"
	"sluice/ingest/segment"
	"sluice/parse"
	"sluice/schema"
	"sluice/table/columnar"
)

// RefillConfig is the parameters of a Refill.
type RefillConfig struct {
	Archive index.Archive
	Pattern archive.Pattern
	// Store stores the Parquet file at localPath in the columnar table, under a name below the
	// directory of Naming.
	Store    func(ctx context.Context, localPath, name string) error
	Naming   archive.Pattern
	AllLines bool
	// Dir is a directory for temporary files.
	Dir string
	// Pruned are the ranges that were removed from the table because of their age, and Held those
	// that it has: an archive file with no other ranges is left out.
	Pruned, Held map[schema.StreamID]schema.RangeSet
	// Format and Zone are for streams that the archive does not describe; "" leaves them out.
	Format, Zone string
}

// Refill fills a columnar table from an archive: each archive file becomes the Parquet file that
// its segment had.
type Refill struct {
	cfg     RefillConfig
	catalog *index.Catalog

	mu     sync.Mutex
	failed []string

	// Lines, Bytes and ParseErrors count what is in the table; they may be read at any time.
	Lines, Bytes, ParseErrors atomic.Int64
}

// NewRefill reads what the archive holds.
func NewRefill(ctx context.Context, cfg RefillConfig) (*Refill, error) {
	r := &Refill{cfg: cfg}
	var err error
	if r.catalog, err = index.Read(ctx, cfg.Archive, cfg.Pattern, nil); err != nil {
		return nil, err
	}
	for i := range r.catalog.Files {
		f := &r.catalog.Files[i]
		for _, d := range f.Damage {
			r.fail("%s", damageText(f, d))
		}
	}
	return r, nil
}

func (r *Refill) fail(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

// Files is the number of files of the archive.
func (r *Refill) Files() int { return len(r.catalog.Files) }

// Total is the number of bytes of log in them.
func (r *Refill) Total() (n int64) {
	for i := range r.catalog.Files {
		n += r.catalog.Files[i].LogBytes
	}
	return n
}

// Run makes the Parquet file of each archive file. It can be repeated without effect. failed lists
// what could not be read; the rest is in the table. The error is one of table or archive.
func (r *Refill) Run(ctx context.Context) (failed []string, err error) {
	dir, err := os.MkdirTemp(r.cfg.Dir, "refill-")
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(index.Workers())
	for i := range r.catalog.Files {
		if f := &r.catalog.Files[i]; f.Members > 0 && !r.needless(f) && ctx.Err() == nil {
			group.Go(func() error {
				local := filepath.Join(dir, fmt.Sprint(i, columnar.Suffix))
				if err := r.file(ctx, f, local); err != nil {
					return fmt.Errorf("archive file %s: %w", f.Name, err)
				}
				return nil
			})
		}
	}
	err = errors.Join(group.Wait(), os.RemoveAll(dir))
	return r.failed, err
}

// needless reports whether all ranges of a file were pruned or are in the table.
func (r *Refill) needless(f *index.File) bool {
	for _, m := range r.catalog.Members[f.First : f.First+f.Members] {
		for _, part := range r.cfg.Pruned[m.Stream].Missing(m.Range) {
			if len(r.cfg.Held[m.Stream].Missing(part)) > 0 {
				return false
			}
		}
	}
	return true
}

// file makes the Parquet file of one archive file.
func (r *Refill) file(ctx context.Context, f *index.File, local string) (err error) {
	to, err := os.OpenFile(local, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(local)) }()
	base := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.Name), ".gz"), ".log")
	w := refillWriter{
		refill: r, reader: r.catalog.NewReader(), encoders: map[schema.StreamID]*refillStream{},
		writer: columnar.NewWriter(to, columnar.WriterOptions{Segment: base}),
	}
	err = w.members(ctx, f)
	err = errors.Join(err, w.reader.Close())
	if err != nil || w.rows == 0 {
		return errors.Join(err, to.Close())
	}
	meta, err := w.writer.Close()
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	day := f.Time
	if day.IsZero() { // not in the name
		day = time.Unix(0, meta.MinTime).UTC()
	}
	dirName, err := r.cfg.Naming.Expand(day, f.Host, nil)
	if err != nil {
		return err
	}
	if err := r.cfg.Store(ctx, local, path.Join(dirName, base+columnar.Suffix)); err != nil {
		return err
	}
	r.Lines.Add(w.rows)
	r.Bytes.Add(w.bytes)
	r.ParseErrors.Add(w.errors)
	return nil
}

// refillWriter makes one Parquet file.
type refillWriter struct {
	refill              *Refill
	reader              *index.Reader
	writer              *columnar.Writer
	encoders            map[schema.StreamID]*refillStream
	chunk               columnar.Chunk
	rec                 schema.Record
	rows, bytes, errors int64
}

// refillStream is a stream with lines in a file; without a format it is left out.
type refillStream struct {
	entry   *schema.StreamEntry
	format  *parse.Format
	encoder *columnar.Encoder
}

// members writes the rows of the file's members, in their order.
func (w *refillWriter) members(ctx context.Context, f *index.File) error {
	members := w.refill.catalog.Members[f.First : f.First+f.Members]
	for i := range members {
		m := &members[i]
		s, err := w.stream(ctx, f, m)
		if err != nil {
			return err
		}
		if s.format == nil {
			continue
		}
		data, err := w.reader.Data(ctx, m)
		var bad *segment.FormatError
		if errors.As(err, &bad) {
			w.refill.fail("%s: bytes %v of stream %s: %v", f.Name, m.Range, m.Stream, bad)
			continue
		}
		if err != nil {
			return err
		}
		if err := w.member(s, m, data); err != nil {
			return err
		}
	}
	return nil
}

func (w *refillWriter) member(s *refillStream, m *index.Member, data []byte) error {
	w.chunk.Reset()
	var n count
	for offset, line := range index.Lines(data, m.Range.Start) {
		s.format.Parse(line, &w.rec)
		s.encoder.Append(&w.chunk, offset, &w.rec)
		n.add(&w.rec)
	}
	w.rows, w.bytes, w.errors = w.rows+n.lines, w.bytes+m.Range.Len(), w.errors+n.errors
	return w.writer.Append(&s.entry.Stream, s.entry.Labels, m.Range, int(n.errors), &w.chunk)
}

// stream returns the stream of a member, as described in the file, otherwise in the archive,
// otherwise by the flags.
func (w *refillWriter) stream(ctx context.Context, f *index.File, m *index.Member) (*refillStream, error) {
	known := w.encoders[m.Stream]
	if m.EntryBytes == 0 && known != nil {
		return known, nil
	}
	entry, found, err := w.describe(ctx, f, m)
	if err != nil {
		return nil, err
	}
	if !found {
		w.refill.fail("%s: the archive does not say how the lines of stream %s are to be read: give --format", f.Name, m.Stream)
		s := &refillStream{entry: &entry}
		w.encoders[m.Stream] = s
		return s, nil
	}
	format, err := parse.OfStream(&entry.Stream)
	if err != nil {
		return nil, err
	}
	s := &refillStream{entry: &entry, format: format}
	if s.encoder, err = columnar.NewEncoder(&entry.Stream, entry.Labels, format, columnar.EncoderOptions{AllLines: w.refill.cfg.AllLines}); err != nil {
		return nil, err
	}
	w.encoders[m.Stream] = s
	return s, nil
}

func (w *refillWriter) describe(ctx context.Context, f *index.File, m *index.Member) (entry schema.StreamEntry, found bool, err error) {
	if m.EntryBytes > 0 {
		from, err := w.reader.Segment(ctx, m)
		if err != nil {
			return entry, false, err
		}
		from.At(m.Member)
		entry, err = from.Entry()
		var bad *segment.FormatError
		if !errors.As(err, &bad) {
			return entry, err == nil, err
		}
	}
	held := w.refill.catalog.Streams[m.Stream]
	switch {
	case held.Described:
		return held.Entry, true, nil
	case w.refill.cfg.Format != "":
		entry = held.Entry
		entry.Host, entry.Path, entry.Format, entry.Zone = f.Host, f.Name, w.refill.cfg.Format, w.refill.cfg.Zone
		return entry, true, nil
	}
	return held.Entry, false, nil
}

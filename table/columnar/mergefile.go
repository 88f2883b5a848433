package columnar

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sluice/archive"
	"sluice/schema"
)

const (
	// maxMergeWidth bounds the row groups that are merged at a time: each holds some rows and its
	// dictionaries. More are merged in several steps, through files on disk.
	maxMergeWidth = 24
	// mergeReadRows is the number of rows that are read of a row group at a time.
	mergeReadRows = 8192
)

// mergeInto merges files into one local file, verifies it and stores it under name. It returns its
// length.
func (c *compactor) mergeInto(ctx context.Context, name string, files []*footer, replaces []string) (bytes int64, err error) {
	dir, err := os.MkdirTemp(c.o.TempDir, "merge-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	parts, ranges, err := countedParts(files)
	if err != nil {
		return 0, err
	}
	local := filepath.Join(dir, "merged"+Suffix)
	f, err := os.OpenFile(local, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	meta, err := mergeParts(ctx, w, parts, ranges, dir, WriterOptions{Replaces: replaces})
	err = errors.Join(err, w.Flush(), f.Sync())
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Close()); err != nil {
		return 0, err
	}
	var lines int64
	for _, s := range ranges {
		for _, r := range s.Ranges {
			lines += r.Lines
		}
	}
	if meta.Rows != lines {
		return 0, fmt.Errorf("the files say that they have %d rows, and %d were read: not merged", lines, meta.Rows)
	}
	err = c.store.Store(ctx, local, name)
	if errors.Is(err, archive.ErrConflict) {
		err = nil // another version of sluice merged the same files
	}
	return info.Size(), err
}

// countedParts returns the files, each with the ranges that no file before it has, and the ranges
// of all together.
func countedParts(files []*footer) ([]*part, []*StreamMeta, error) {
	var parts []*part
	var all []*StreamMeta
	covered := coverage{}
	for _, f := range files {
		p := covered.take(f, nil)
		if p == nil {
			continue
		}
		parts = append(parts, p)
		for i := range f.meta.Streams {
			m := f.meta.Streams[i]
			if counts, partly := p.counts[m.Stream.ID]; partly {
				var counted schema.RangeSet
				for _, r := range m.Ranges {
					for _, both := range counts.Both(r.Range) {
						counted.Add(both)
					}
				}
				if len(counted) == 0 {
					continue
				}
				var err error
				if m.Ranges, err = p.countRows(m.Stream.ID, counted); err != nil {
					return nil, nil, err
				}
			}
			all = append(all, &m)
		}
	}
	return parts, all, nil
}

// countRows counts the rows of a stream in ranges.
func (p *part) countRows(id schema.StreamID, counts schema.RangeSet) ([]RangeMeta, error) {
	ranges := make([]RangeMeta, len(counts))
	for i, r := range counts {
		ranges[i].Range = r
	}
	var b Batch
	text := id.String()
	if err := p.source.use(); err != nil {
		return nil, err
	}
	var err error
	for g := range p.file.Groups() {
		if err = p.file.Read(g, []string{schema.StreamField, schema.OffsetField, schema.ParseErrorField}, &b); err != nil {
			break
		}
		streams, offsets, errs := b.Column(schema.StreamField), b.Column(schema.OffsetField), b.Column(schema.ParseErrorField)
		for i, code := range streams.Codes {
			if string(streams.Dict[code]) != text {
				continue
			}
			for k := range ranges {
				if r := &ranges[k]; r.Start <= offsets.Ints[i] && offsets.Ints[i] < r.End {
					r.Lines++
					if errs != nil && !errs.Null(i) {
						r.Errors++
					}
				}
			}
		}
	}
	return ranges, errors.Join(err, p.source.release())
}

// mergeParts writes the rows of parts, sorted, as one file.
func mergeParts(ctx context.Context, w io.Writer, parts []*part, ranges []*StreamMeta, dir string, o WriterOptions) (Meta, error) {
	inputs := inputsOf(parts)
	var err error
	for step := 0; len(inputs) > maxMergeWidth && err == nil; step++ {
		inputs, err = narrowed(ctx, inputs, filepath.Join(dir, fmt.Sprintf("run-%d-", step)), ranges)
	}
	if err != nil {
		return Meta{}, err
	}
	return writeMerged(ctx, w, inputs, ranges, o)
}

// mergeInput is a sorted run of rows: row groups of a part, one after another.
type mergeInput struct {
	part   *part
	groups []int
}

// inputsOf returns the row groups of the parts. Row groups of a merged file, and others of which
// each begins after the end of the one before, are one run.
func inputsOf(parts []*part) []mergeInput {
	var inputs []mergeInput
	for _, p := range parts {
		merged := len(p.meta.Replaces) > 0
		groups := p.file.Groups()
		for g := range groups {
			if g > 0 && groups[g].Undated == 0 && (merged || groups[g].MinTime > groups[g-1].MaxTime) {
				last := &inputs[len(inputs)-1]
				last.groups = append(last.groups, g)
				continue
			}
			inputs = append(inputs, mergeInput{p, []int{g}})
		}
	}
	return inputs
}

// narrowed merges inputs, some at a time, into files on disk, each of which is one input.
func narrowed(ctx context.Context, inputs []mergeInput, prefix string, ranges []*StreamMeta) ([]mergeInput, error) {
	var runs []mergeInput
	for len(inputs) > 0 {
		n := min(maxMergeWidth, len(inputs))
		run, err := writeRun(ctx, inputs[:n], fmt.Sprintf("%s%d", prefix, len(runs)), ranges)
		if err != nil {
			return nil, err
		}
		runs, inputs = append(runs, run), inputs[n:]
	}
	return runs, nil
}

// writeRun merges inputs into a file.
func writeRun(ctx context.Context, inputs []mergeInput, path string, ranges []*StreamMeta) (run mergeInput, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return run, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	_, err = writeMerged(ctx, w, inputs, ranges, WriterOptions{})
	err = errors.Join(err, w.Flush())
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Close()); err != nil {
		return run, err
	}
	s := &source{ctx: ctx, store: localFiles{}, name: path}
	if err := s.use(); err != nil {
		return run, err
	}
	file, err := OpenFile(s, info.Size())
	if err = errors.Join(err, s.release()); err != nil {
		return run, err
	}
	p := &part{footer: &footer{name: path, meta: file.Meta(), file: file, source: s}}
	run = mergeInput{part: p}
	for g := range file.Groups() {
		run.groups = append(run.groups, g)
	}
	return run, nil
}

// localFiles opens files by their paths.
type localFiles struct{}

func (localFiles) List(context.Context) ([]archive.File, error) { return nil, nil }

func (localFiles) Open(_ context.Context, name string) (archive.Reader, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return localFile{f, info.Size()}, nil
}

type localFile struct {
	*os.File
	size int64
}

func (f localFile) Size() int64 { return f.size }

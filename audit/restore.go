package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"sluice/archive/index"
	"sluice/ingest/logfile"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// maxOpenSegments bounds the files that are written at a time.
const maxOpenSegments = 64

// restorer writes lines that only a log has to segments, one for each directory of the archive.
type restorer struct {
	*repair
	stream *stream
	place  index.Place
	open   map[string]*restored // by directory
	dir    string               // of the last line
	rec    schema.Record
}

type restored struct {
	writer *segment.Writer
	name   string // in the archive
}

// restore makes archive files of the ranges that only a log has.
func (r *repair) restore(ctx context.Context) error {
	for _, s := range r.streams {
		x := &restorer{repair: r, stream: s, place: index.NewPlace(r.Pattern, s.Host, s.Labels), open: map[string]*restored{}}
		for _, p := range s.ranges {
			if m := s.missingAt(p.Start); p.member != noMember || m != nil && m.disputed {
				continue
			}
			if err := x.locatedRange(ctx, p.Range); err != nil {
				return fmt.Errorf("restore %v of %s: %w", p.Range, s.LogPath, err)
			}
		}
	}
	return nil
}

func (x *restorer) locatedRange(ctx context.Context, r schema.Range) (err error) {
	if err := x.stream.log.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.stream.log.close()) }()
	if x.dir, err = x.place.Undated(); err != nil {
		return err
	}
	err = x.stream.log.lines(r, func(data []byte, start int64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return x.cut(ctx, data, start)
	})
	if err != nil {
		return err
	}
	return x.store(ctx)
}

// cut writes runs of lines of the same directory.
func (x *restorer) cut(ctx context.Context, data []byte, start int64) error {
	run := start
	flush := func(end int64) error {
		if end == run {
			return nil
		}
		part := data[run-start : end-start]
		err := x.append(ctx, schema.Batch{
			Stream: &x.stream.StreamEntry.Stream, Labels: x.stream.Labels,
			Range: schema.Range{Start: run, End: end}, Data: part, Lines: logfile.CountLines(part),
		})
		run = end
		return err
	}
	for offset, line := range index.Lines(data, start) {
		dir := x.dir
		if x.stream.format.Parse(line, &x.rec); x.rec.Dated {
			var err error
			if dir, err = x.place.Dir(&x.rec); err != nil {
				return err
			}
		}
		if dir != x.dir {
			if err := flush(offset); err != nil {
				return err
			}
			x.dir = dir
		}
	}
	return flush(start + int64(len(data)))
}

func (x *restorer) append(ctx context.Context, b schema.Batch) error {
	out := x.open[x.dir]
	if out == nil {
		if len(x.open) >= maxOpenSegments {
			if err := x.store(ctx); err != nil {
				return err
			}
		}
		// The name is determined by the content, so that a second attempt makes the same one.
		file := fmt.Sprintf("access.repair-%s-%d.log.gz", b.Stream.ID, b.Range.Start)
		w, err := segment.Create(vfs.OS{}, filepath.Join(x.repair.dir, file))
		if err != nil {
			return err
		}
		out = &restored{w, path.Join(x.dir, file)}
		x.open[x.dir] = out
	}
	_, err := out.writer.Append(x.encoder, b)
	return err
}

// store archives the segments that are open.
func (x *restorer) store(ctx context.Context) error {
	for dir, out := range x.open {
		sealed, err := out.writer.Seal()
		if err == nil {
			err = x.archive.Store(ctx, sealed, out.name)
		}
		if err == nil {
			err = os.Remove(sealed)
		}
		if err != nil {
			return err
		}
		delete(x.open, dir)
		x.done.Restored = append(x.done.Restored, out.name)
	}
	return nil
}

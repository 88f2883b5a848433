package collector

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"sluice/table/columnar"
)

// columnFiller writes the Parquet files of segments that are still open. Only one goroutine calls
// run.
type columnFiller struct {
	cfg   *Config
	queue *columnQueue
	files map[*spooled]*columnFile
	bytes int // memory that all files take
}

// columnFile is the unfinished Parquet file of a segment.
type columnFile struct {
	localFile
	writer *columnar.Writer // nil: the file was given up
	// next is the offset of the next member to write. Several goroutines append members, so parts
	// may come out of order: waiting holds, by offset, parts that come after a missing one.
	next    int64
	waiting map[int64]columnPart
	bytes   int
}

// run writes chunks to the files of their segments, in the order of the segments' members.
func (f *columnFiller) run(ctx context.Context) error {
	defer f.close()
	for {
		select {
		case p := <-f.queue.parts:
			if p.chunk == nil {
				f.end(p.sp)
				continue
			}
			f.take(p)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take writes a part, and the parts that waited for it, to the file of its segment.
func (f *columnFiller) take(p columnPart) {
	file := f.files[p.sp]
	if file == nil {
		file = &columnFile{localFile: localFile{fsys: f.cfg.FS, path: f.cfg.columnsPath(p.sp)}, waiting: map[int64]columnPart{}}
		file.writer = columnar.NewWriter(&file.localFile, f.cfg.columnOptions(p.sp))
		f.files[p.sp] = file
	}
	file.waiting[p.member.Offset] = p
	for file.writer != nil {
		next, ok := file.waiting[file.next]
		if !ok {
			return
		}
		delete(file.waiting, file.next)
		file.next = next.member.End()
		err := file.writer.Append(next.stream, next.labels, next.member.Range, next.errors, next.chunk)
		f.queue.release(next)
		f.bytes -= file.bytes
		file.bytes = file.writer.MemoryBytes()
		f.bytes += file.bytes
		if err == nil && f.bytes > f.cfg.columnBytes {
			err = errColumnMemory
		}
		if err != nil {
			f.giveUp(p.sp, file, err)
		}
	}
	f.drop(file)
}

func (cfg *Config) columnOptions(sp *spooled) columnar.WriterOptions {
	return columnar.WriterOptions{Segment: cfg.storedName(sp.name), RowGroupRows: cfg.rowGroupRows}
}

var errColumnMemory = errors.New("the Parquet files of open segments take too much memory")

// giveUp removes an unfinished file. It will be made from its segment instead.
func (f *columnFiller) giveUp(sp *spooled, file *columnFile, err error) {
	f.cfg.Log.Debug("unfinished Parquet file dropped, it will be rebuilt from its segment", "segment", sp.name, "err", err)
	f.bytes -= file.bytes
	file.writer, file.bytes = nil, 0
	if err := file.remove(); err != nil {
		f.cfg.Log.Warn("cannot remove an unfinished Parquet file", "path", file.path, "err", err)
	}
}

// drop releases the waiting parts of a file.
func (f *columnFiller) drop(file *columnFile) {
	for _, p := range file.waiting {
		f.queue.release(p)
	}
	clear(file.waiting)
}

// end finishes the file of a sealed segment, and adds the segment to the queue for storing. If the
// file was given up or does not match the segment, columnsPath is "".
func (f *columnFiller) end(sp *spooled) {
	var path string
	if file := f.files[sp]; file != nil {
		delete(f.files, sp)
		if file.writer != nil && (sp.isBroken() || file.next != sp.size()) {
			f.giveUp(sp, file, errors.New("the segment is not what was written"))
		}
		f.drop(file)
		if file.writer != nil {
			f.bytes -= file.bytes
			if err := file.finish(); err != nil {
				file.bytes = 0
				f.giveUp(sp, file, err)
			} else {
				path = file.path
			}
		}
	}
	sp.columnsPath = path
	f.queue.add(sp)
}

// finish writes the rest of the file and closes it.
func (file *columnFile) finish() error {
	_, err := file.writer.Close()
	return errors.Join(err, file.Close())
}

// close releases memory and closes the files. They are left incomplete: the next process makes them
// from their segments.
func (f *columnFiller) close() {
	for _, file := range f.files {
		f.drop(file)
		file.Close() //nolint:errcheck // it is not used any more
	}
}

// columnsPath returns the path of a segment's Parquet file in the spool.
func (cfg *Config) columnsPath(sp *spooled) string {
	return filepath.Join(cfg.SpoolDir, filepath.FromSlash(strings.TrimSuffix(sp.name.String(), ".gz"))) + columnsSuffix
}

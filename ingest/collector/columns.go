package collector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
	"sluice/table/columnar"
)

const (
	// columnQueueBytes bounds the lines whose columns wait to be written.
	columnQueueBytes = 2 << 20
	// columnFileBytes bounds the memory of the Parquet files that are being filled. A file
	// that would go beyond it is made from its segment when that is sealed.
	columnFileBytes = 48 << 20
	// columnsSuffix ends the name of a segment's Parquet file on our disk. It need not
	// survive a crash: it is made again from the segment.
	columnsSuffix = ".parquet.open"
)

// columnQueue is what is on its way to Columns: chunks of lines to the goroutine that
// fills files, and then sealed segments to those that store them.
type columnQueue struct {
	room  *semaphore.Weighted // bytes of lines whose chunks wait
	parts chan columnPart
	spare sync.Pool     // *columnar.Chunk
	wake  chan struct{} // due is not empty

	// Under Collector.mu:
	due []*spooled
	// spent is how long each host's segments took to store, of those that wait, and busy how
	// many of a host's are being stored: a sender chooses the format, so one host's segment
	// may take thousands of times as long as another's.
	spent map[string]time.Duration
	busy  map[string]int
}

// columnPart is the chunk of a segment's member, or the segment's end.
type columnPart struct {
	sp     *spooled
	member segment.Member
	stream *schema.Stream
	labels map[string]string
	errors int
	chunk  *columnar.Chunk // nil: the segment is sealed
	weight int64           // of it in the queue
}

func newColumnQueue() *columnQueue {
	q := &columnQueue{
		room: semaphore.NewWeighted(columnQueueBytes), parts: make(chan columnPart, 64), wake: make(chan struct{}, 1),
		spent: map[string]time.Duration{}, busy: map[string]int{},
	}
	q.spare.New = func() any { return new(columnar.Chunk) }
	return q
}

// passColumns hands the chunk of a parcel's cut i, which is the member m, to the goroutine
// that fills files. That one never waits for who calls this.
func (c *Collector) passColumns(sp *spooled, m segment.Member, b *schema.Batch, from *parcel, i int) {
	if from.spare == nil {
		return
	}
	x := &from.cuts[i]
	part := columnPart{
		sp: sp, member: m, stream: b.Stream, labels: b.Labels, errors: int(x.errors),
		chunk: from.chunks[i], weight: min(x.Len(), from.columnWeight),
	}
	from.chunks[i] = nil
	from.columnWeight -= part.weight
	select {
	case c.columns.parts <- part:
	case <-c.life.Done():
		c.columns.release(part)
	}
}

func (q *columnQueue) release(p columnPart) {
	if p.chunk != nil {
		q.spare.Put(p.chunk)
		q.room.Release(p.weight)
	}
}

// endColumns says that no more chunks of a sealed segment come.
func (c *Collector) endColumns(ctx context.Context, sp *spooled) error {
	if c.cfg.Columns == nil {
		return nil
	}
	c.mu.Lock()
	ended := sp.columnsEnded
	sp.columnsEnded = true
	c.mu.Unlock()
	if ended {
		return nil
	}
	select {
	case c.columns.parts <- columnPart{sp: sp}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// columnFiller is the one goroutine that fills the Parquet files of open segments.
type columnFiller struct {
	*Collector
	files map[*spooled]*columnFile
	bytes int // of memory, of all files
}

// columnFile is the Parquet file of a segment that is being written.
type columnFile struct {
	localFile
	writer *columnar.Writer // nil: given up
	// next is where the next member begins. Members that were written by several goroutines
	// come out of order: waiting has those before which one is missing.
	next    int64
	waiting map[int64]columnPart
	bytes   int
}

// fillColumns writes chunks into the files of their segments, in the segments' order.
func (c *Collector) fillColumns(ctx context.Context) error {
	f := &columnFiller{Collector: c, files: map[*spooled]*columnFile{}}
	defer f.close()
	for {
		select {
		case p := <-c.columns.parts:
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

// take writes a part and those that waited for it.
func (f *columnFiller) take(p columnPart) {
	file := f.files[p.sp]
	if file == nil {
		file = &columnFile{localFile: localFile{fsys: f.cfg.FS, path: f.columnsPath(p.sp)}, waiting: map[int64]columnPart{}}
		file.writer = columnar.NewWriter(&file.localFile, f.columnOptions(p.sp))
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
		f.columns.release(next)
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

func (c *Collector) columnOptions(sp *spooled) columnar.WriterOptions {
	return columnar.WriterOptions{Segment: c.storedName(sp.name), RowGroupRows: c.cfg.rowGroupRows}
}

var errColumnMemory = errors.New("the Parquet files of open segments take too much memory")

// giveUp leaves a file to be made from its segment.
func (f *columnFiller) giveUp(sp *spooled, file *columnFile, err error) {
	f.cfg.Log.Debug("Parquet file given up, it will be made from its segment", "segment", sp.name, "err", err)
	f.bytes -= file.bytes
	file.writer, file.bytes = nil, 0
	if err := file.remove(); err != nil {
		f.cfg.Log.Warn("cannot remove an unfinished Parquet file", "path", file.path, "err", err)
	}
}

// drop lets go of the parts of a file that was given up.
func (f *columnFiller) drop(file *columnFile) {
	for _, p := range file.waiting {
		f.columns.release(p)
	}
	clear(file.waiting)
}

// end finishes the file of a sealed segment and gives the segment to those that store it.
func (f *columnFiller) end(sp *spooled) {
	f.mu.Lock()
	broken, bytes := sp.broken, sp.bytes
	f.mu.Unlock()
	var path string
	if file := f.files[sp]; file != nil {
		delete(f.files, sp)
		if file.writer != nil && (broken || file.next != bytes) {
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
	f.mu.Lock()
	defer f.mu.Unlock()
	sp.columnsPath = path
	f.columns.add(sp)
}

// finish writes what the file still lacks.
func (file *columnFile) finish() error {
	_, err := file.writer.Close()
	return errors.Join(err, file.Close())
}

// close gives file handles back; the next process makes the files again.
func (f *columnFiller) close() {
	for _, file := range f.files {
		f.drop(file)
		file.Close() //nolint:errcheck // it is not used any more
	}
}

// columnsPath is the Parquet file of a segment on our disk.
func (c *Collector) columnsPath(sp *spooled) string {
	return filepath.Join(c.cfg.SpoolDir, filepath.FromSlash(strings.TrimSuffix(sp.name.String(), ".gz"))) + columnsSuffix
}

// localFile is a file that is made when more than a few bytes are written to it, so that
// the many that have no row group yet take no descriptor.
type localFile struct {
	fsys vfs.FS
	path string
	file vfs.File
	head []byte // not written yet
	size int64
}

// headBytes are kept back: a Parquet file begins with 4.
const headBytes = 16

func (l *localFile) Write(p []byte) (int, error) {
	if l.file == nil {
		if len(l.head)+len(p) <= headBytes {
			l.head = append(l.head, p...)
			return len(p), nil
		}
		file, err := l.fsys.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
		if err != nil {
			return 0, fmt.Errorf("spool: %w", err)
		}
		l.file = file
		if _, err := file.WriteAt(l.head, 0); err != nil {
			return 0, fmt.Errorf("spool: %w", err)
		}
		l.size = int64(len(l.head))
	}
	n, err := l.file.WriteAt(p, l.size)
	l.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("spool: %w", err)
	}
	return n, nil
}

// Close gives the handle back.
func (l *localFile) Close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// remove closes and removes the file.
func (l *localFile) remove() error {
	err := l.Close()
	if gone := l.fsys.Remove(l.path); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

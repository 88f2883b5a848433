// Package checkpoint stores what must survive a restart about every stream: which file it is, and
// up to which position it is stored.
package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// File is a checkpoint: one file on disk that is replaced as a whole (temporary file, fsync,
// rename, fsync of the directory). Its methods may be called concurrently. The fields of its
// streams may only be read and written inside Update, unless a single goroutine uses them and also
// calls Save.
type File struct {
	fsys vfs.FS
	path string

	maxBytes int64 // limit of what Open reads

	saving sync.Mutex // held while the file on disk is replaced

	mu     sync.Mutex
	doc    document
	byID   map[schema.StreamID]*Stream
	byFile map[logfile.ID][]*Stream
	byName map[string][]*Stream // by RotatedName
	usage  map[string]*usage    // by host, of streams that were declared
	total  usage
	quota  Quota
	found  bool                 // the file existed when it was opened
	byHead map[string][]*Stream // by Stream.Head
}

type document struct {
	Kind    string `json:"sluice"`
	Version int    `json:"version"`
	// Collector is part of the names of this directory's segments in the archive, and unique.
	Collector string `json:"collector"`
	// Seq is the last segment number that was used.
	Seq     uint64    `json:"seq"`
	Streams []*Stream `json:"streams"`
	// Unmarked are the archive's directories that must still be marked as complete.
	Unmarked []Directory `json:"unmarked,omitempty"`
	// Hosts are the hosts that are reported as missing when they are silent.
	Hosts []string `json:"hosts,omitempty"`
	// Losses are lines that were deleted before they were read, until they are acknowledged.
	Losses []Loss `json:"losses,omitempty"`
	// LastLoss is the greatest number of a loss that was used.
	LastLoss int64 `json:"last_loss,omitempty"`
}

// Stream is a stream with its stored position.
type Stream struct {
	schema.StreamEntry
	// Seed, in hexadecimal, proves to a collector that the id belongs to this host.
	Seed string `json:"seed,omitempty"`
	// Missing are the ranges before Stored that were never received here, because their sender has
	// them stored elsewhere. Lines that arrive for them are accepted.
	Missing []schema.Range `json:"missing,omitempty"`
	// Files are the files that the stream was seen in: the log, and copies of it.
	Files []logfile.ID `json:"files"`
	// HeadBytes is the length of the stream's first line, and Head its hash.
	HeadBytes int    `json:"head_bytes"`
	Head      string `json:"head"`
	// TailBytes is how many bytes before TailAt have the hash Tail, if known. Together with Head it
	// distinguishes a copy of this log from another log that begins alike.
	TailBytes int    `json:"tail_bytes,omitempty"`
	Tail      string `json:"tail,omitempty"`
	TailAt    int64  `json:"tail_at,omitempty"`
	tail      []byte // the bytes of Tail that are not hashed yet
	// Marks are checksums of the stream's beginning and of samples after it: fingerprint.go.
	// Checkpoints of older versions have none; then the marks begin where reading continues.
	Marks []Mark `json:"marks,omitempty"`
	// Born is when each of Files was created, in nanoseconds since 1970; 0: not known. Files beyond
	// its length were recorded by an older version.
	Born []int64 `json:"born_ns,omitempty"`
	// PathBytes is Path if that is not UTF-8, which JSON cannot represent.
	PathBytes []byte `json:"path_bytes,omitempty"`
	// LastPath is where its file is, if that is not in Path's directory: the target of a symbolic
	// link, or a copy in an olddir.
	LastPath      string `json:"last_path,omitempty"`
	LastPathBytes []byte `json:"last_path_bytes,omitempty"`
	// SeenBytes is the greatest length of the log that was seen. What of it is not stored when the
	// log is gone is lost.
	SeenBytes int64 `json:"seen_bytes,omitempty"`
	// SkippedBytes at the beginning were not read, because the operator requested new lines only.
	SkippedBytes int64 `json:"skipped_bytes,omitempty"`
	// LostBytes were deleted before they were read, and are counted.
	LostBytes int64 `json:"lost_bytes,omitempty"`
	// GrownUnix is when the log was last seen to grow, in seconds since 1970; 0: not known.
	GrownUnix int64 `json:"grown_unix,omitempty"`
	// GoneUnix is when none of its files existed any more, in seconds since 1970; 0: one exists.
	GoneUnix int64 `json:"gone_unix,omitempty"`

	cost    int64     // of its host's quota, if it was declared
	touched time.Time // when its sender last named it or sent lines of it
}

// ErrDamaged is returned if the checkpoint exists and cannot be used. Starting without
// it would store every line again, so callers must stop.
var ErrDamaged = errors.New("checkpoint is damaged or not of sluice")

const (
	documentKind    = "checkpoint"
	documentVersion = 1
	// maxFileBytes is the limit of the file: some hundred bytes for each of a million streams.
	maxFileBytes = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Open reads the checkpoint at path. If it does not exist, Open returns a new one with collector as
// its id.
func Open(fsys vfs.FS, path, collector string) (*File, error) {
	c := &File{fsys: fsys, path: path, maxBytes: maxFileBytes}
	c.index()
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		c.doc = document{Kind: documentKind, Version: documentVersion, Collector: collector}
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: open: %w", err)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, maxFileBytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("checkpoint: read %s: %w", path, err)
	}
	if len(b) > maxFileBytes {
		return nil, fmt.Errorf("checkpoint: %s has more than %d bytes, so sluice did not write it", path, maxFileBytes)
	}
	if err := c.decode(b); err != nil {
		return nil, fmt.Errorf("%s: %w: %w; put back a copy of it, or move it and the spool away to store every log again from its beginning", path, ErrDamaged, err)
	}
	c.found = true
	return c, nil
}

// decode parses a JSON document that is followed by a line with its CRC-32C.
func (c *File) decode(b []byte) error {
	body, err := vfs.WithoutSum(b)
	if err != nil {
		return err
	}
	var doc document
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	for _, t := range doc.Streams {
		if t == nil || t.Stored < 0 || !t.missingIsSound() || t.HeadBytes < 0 || t.TailBytes < 0 || t.TailAt < int64(t.TailBytes) || t.SeenBytes < 0 || t.LostBytes < 0 {
			return errors.New("it holds a stream with impossible positions")
		}
		if slices.ContainsFunc(t.Marks, func(m Mark) bool { return !m.valid() }) {
			return errors.New("it holds a stream with an impossible fingerprint")
		}
	}
	for _, t := range doc.Streams {
		t.Path, t.LastPath = schema.PathOf(t.Path, t.PathBytes), schema.PathOf(t.LastPath, t.LastPathBytes)
	}
	for i := range doc.Losses {
		doc.Losses[i].Path = schema.PathOf(doc.Losses[i].Path, doc.Losses[i].PathBytes)
	}
	doc.numberAll()
	slices.Sort(doc.Hosts)
	c.doc = doc
	c.index()
	if c.doc.Kind != documentKind || c.doc.Version != documentVersion {
		return fmt.Errorf("it is %q version %d, not %q version %d", c.doc.Kind, c.doc.Version, documentKind, documentVersion)
	}
	return nil
}

// Save writes the checkpoint. If it returns nil the new one is durable; otherwise the old one still
// exists.
func (c *File) Save() error {
	if err := c.save(); err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", c.path, err)
	}
	return nil
}

func (c *File) save() error {
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	for _, t := range c.doc.Streams {
		t.settleTail()
		t.PathBytes, t.LastPathBytes = schema.PathBytes(t.Path), schema.PathBytes(t.LastPath)
	}
	body, err := json.Marshal(&c.doc)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	body = vfs.WithSum(body)
	if int64(len(body)) > c.maxBytes { // Open would reject it, while the old file is valid
		return fmt.Errorf("%d streams take %d bytes, and %d can be read again", len(c.Streams()), len(body), c.maxBytes)
	}
	return vfs.Replace(c.fsys, c.path, body)
}

// Stream returns the stream with that id, or nil.
func (c *File) Stream(id schema.StreamID) *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byID[id]
}

// Begin records a stream's first line if the stream was created without a file.
func (c *File) Begin(t *Stream, start []byte) {
	first := head(start)
	c.mu.Lock()
	defer c.mu.Unlock()
	t.HeadBytes, t.Head = len(first), hashOf(first)
	c.byHead[t.Head] = append(c.byHead[t.Head], t)
}

// Streams returns all streams, in the order in which they were added. The slice belongs to the
// caller.
func (c *File) Streams() []*Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.doc.Streams)
}

// Stored returns the stream's stored position.
func (c *File) Stored(t *Stream) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.Stored
}

// Missing returns the ranges before Stored that were never received here. The slice belongs to the
// caller.
func (c *File) Missing(t *Stream) []schema.Range {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(t.Missing)
}

// Update calls f while no other goroutine can access the streams' fields.
func (c *File) Update(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// Forget removes the streams that done returns true for.
func (c *File) Forget(done func(*Stream) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.doc.Streams)
	c.doc.Streams = slices.DeleteFunc(c.doc.Streams, done)
	if len(c.doc.Streams) < before {
		c.index()
	}
}

// index rebuilds the maps.
func (c *File) index() {
	c.byID = map[schema.StreamID]*Stream{}
	c.byFile = map[logfile.ID][]*Stream{}
	c.byName = map[string][]*Stream{}
	c.usage, c.total = map[string]*usage{}, usage{}
	c.byHead = map[string][]*Stream{}
	for _, t := range c.doc.Streams {
		c.enter(t)
	}
}

func (c *File) enter(t *Stream) {
	c.byID[t.ID] = t
	c.charge(t)
	for _, id := range t.Files {
		c.byFile[id] = append(c.byFile[id], t)
	}
	name := RotatedName(t.Path)
	c.byName[name] = append(c.byName[name], t)
	if t.HeadBytes > 0 {
		c.byHead[t.Head] = append(c.byHead[t.Head], t)
	}
}

// NextSeq returns an unused segment number. It is durable after the next Save; until then the name
// of the segment has it, from which UseSeq takes it at a start.
func (c *File) NextSeq() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doc.Seq++
	return c.doc.Seq
}

// UseSeq marks the number of a segment in the spool as used.
func (c *File) UseSeq(seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doc.Seq = max(c.doc.Seq, seq)
}

// Collector returns the id that is part of the names of this directory's files in the archive.
func (c *File) Collector() string { return c.doc.Collector }

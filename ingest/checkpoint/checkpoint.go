// Package checkpoint stores what must survive a restart about every stream: which file it is, and
// up to which position it is stored. A File is one file on disk with all of it. It has the streams
// and their positions; its parts have what belongs to one subject:
//
//   - Logs finds the stream of a log file, and Fingerprints compares a file with it.
//   - Declared has the streams of other hosts, and limits them.
//   - Losses, Expected and Unmarked are lists that an operator or the archive still needs.
package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// File is a checkpoint: one file on disk that is replaced as a whole (temporary file, fsync,
// rename, fsync of the directory). Its methods, and those of its parts, may be called concurrently.
// The fields of its streams may only be read and written inside Update, unless a single goroutine
// uses them and also calls Save.
type File struct {
	Logs         *Logs
	Fingerprints *Fingerprints
	Declared     *Declared
	Losses       *Losses
	Expected     *ExpectedHosts
	Unmarked     *Unmarked

	fsys      vfs.FS
	path      string
	maxBytes  int64 // limit of what Open reads
	found     bool  // the file existed when it was opened
	collector string

	saving sync.Mutex // held while the file on disk is replaced

	// mu guards the fields below and the parts, which share it: Save writes all of them as they are
	// at one time.
	mu      sync.Mutex
	seq     uint64 // the last segment number that was used
	streams *streamSet
}

// Open reads the checkpoint at path. If it does not exist, Open returns a new one with collector as
// its id.
func Open(fsys vfs.FS, path, collector string) (*File, error) {
	c := newFile(fsys, path, collector)
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
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

func newFile(fsys vfs.FS, path, collector string) *File {
	c := &File{fsys: fsys, path: path, maxBytes: maxFileBytes, collector: collector, streams: newStreamSet()}
	c.Fingerprints = &Fingerprints{mu: &c.mu}
	c.Logs = &Logs{mu: &c.mu, streams: c.streams, fingerprints: c.Fingerprints}
	c.Declared = &Declared{mu: &c.mu, streams: c.streams}
	c.Losses = &Losses{mu: &c.mu}
	c.Expected = &ExpectedHosts{mu: &c.mu}
	c.Unmarked = &Unmarked{mu: &c.mu}
	return c
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
	body, err := json.Marshal(c.document())
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
	return c.streams.byID[id]
}

// Streams returns all streams, in the order in which they were added. The slice belongs to the
// caller.
func (c *File) Streams() []*Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.streams.all)
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
	c.streams.remove(done)
}

// Fork creates another stream for a stream's log, which continues where t is stored, and removes t.
// It is used if a collector has other lines under t's id.
func (c *File) Fork(t *Stream) (*Stream, error) {
	c.mu.Lock()
	old, err := hex.DecodeString(t.Seed)
	if err != nil || len(old) == 0 {
		old = fmt.Append(nil, t.ID)
	}
	fork := *t
	fork.Files, fork.tail = slices.Clone(t.Files), slices.Clone(t.tail)
	for c.streams.byID[fork.ID] != nil {
		sum := sha256.Sum256(append([]byte("fork"), old...))
		old = sum[:len(schema.StreamSeed{})]
		fork.name(schema.StreamSeed(old))
	}
	c.streams.remove(func(o *Stream) bool { return o == t })
	c.streams.add(&fork)
	c.mu.Unlock()
	return &fork, c.Save()
}

// NextSeq returns an unused segment number. It is durable after the next Save; until then the name
// of the segment has it, from which UseSeq takes it at a start.
func (c *File) NextSeq() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	return c.seq
}

// UseSeq marks the number of a segment in the spool as used.
func (c *File) UseSeq(seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq = max(c.seq, seq)
}

// Collector returns the id that is part of the names of this directory's files in the archive.
func (c *File) Collector() string { return c.collector }

// Found reports whether the checkpoint existed when it was opened.
func (c *File) Found() bool { return c.found }

package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// Checkpoint is what is remembered of every stream. It is one file, replaced
// whole: a temporary file, fsync, rename, fsync of the directory. Not safe for
// concurrent use.
type Checkpoint struct {
	fsys vfs.FS
	path string
	doc  checkpointDoc
}

type checkpointDoc struct {
	Kind    string `json:"sluice"`
	Version int    `json:"version"`
	// Collector names this folder's segments in the archive; no two share one.
	Collector string `json:"collector"`
	// Seq is the last segment number that was used.
	Seq     uint64     `json:"seq"`
	Streams []*Tracked `json:"streams"`
}

// Tracked is a stream and how far it is stored.
type Tracked struct {
	schema.StreamEntry
	// Files are the places the stream was seen in: the log, and copies of it.
	Files []FileID `json:"files"`
	// HeadBytes of the stream's beginning have the hash Head: its first line.
	HeadBytes int    `json:"head_bytes"`
	Head      string `json:"head"`
	// TailBytes before Stored have the hash Tail, where known: with Head it tells
	// a copy of this log from another log that begins alike.
	TailBytes int    `json:"tail_bytes,omitempty"`
	Tail      string `json:"tail,omitempty"`
	// TailAt is the position the tail was taken at.
	TailAt int64 `json:"tail_at,omitempty"`
}

// FileID is a file as the file system knows it.
type FileID struct {
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

// ErrCheckpoint: the checkpoint is there and cannot be used. Starting from
// nothing would store every line again, so nobody does.
var ErrCheckpoint = errors.New("checkpoint is damaged or not of sluice")

const (
	checkpointKind    = "checkpoint"
	checkpointVersion = 1
	// maxCheckpointBytes: some hundred bytes a stream, for a million streams.
	maxCheckpointBytes = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// OpenCheckpoint reads the checkpoint at path; where there is none it starts a
// new one, with collector as its id.
func OpenCheckpoint(fsys vfs.FS, path, collector string) (*Checkpoint, error) {
	c := &Checkpoint{fsys: fsys, path: path}
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		c.doc = checkpointDoc{Kind: checkpointKind, Version: checkpointVersion, Collector: collector}
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: open: %w", err)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, maxCheckpointBytes))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("checkpoint: read %s: %w", path, err)
	}
	if err := c.decode(b); err != nil {
		return nil, fmt.Errorf("%s: %w: %w; put back a copy of it, or move it and the spool away to store every log again from its beginning", path, ErrCheckpoint, err)
	}
	return c, nil
}

// decode reads a JSON document and, on a line of its own, its CRC-32C.
func (c *Checkpoint) decode(b []byte) error {
	body, sum, ok := bytes.Cut(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	if !ok || string(sum) != fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)) {
		return errors.New("its checksum does not fit")
	}
	var doc checkpointDoc
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	for _, t := range doc.Streams {
		if t == nil || t.Stored < 0 || t.HeadBytes < 0 || t.TailBytes < 0 || t.TailAt < int64(t.TailBytes) {
			return errors.New("it holds a stream with impossible positions")
		}
	}
	c.doc = doc
	if c.doc.Kind != checkpointKind || c.doc.Version != checkpointVersion {
		return fmt.Errorf("it is %q version %d, not %q version %d", c.doc.Kind, c.doc.Version, checkpointKind, checkpointVersion)
	}
	return nil
}

// Save writes the checkpoint. When it returns nil the new one survives a crash;
// else the old one is still there.
func (c *Checkpoint) Save() error {
	if err := c.save(); err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", c.path, err)
	}
	return nil
}

func (c *Checkpoint) save() error {
	body, err := json.Marshal(&c.doc)
	if err != nil {
		return err
	}
	body = withSum(body)
	temporary := c.path + ".tmp"
	f, err := c.fsys.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(body, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := c.fsys.Rename(temporary, c.path); err != nil {
		return err
	}
	return c.fsys.SyncDir(filepath.Dir(c.path))
}

// withSum puts the checksum that decode wants behind the document.
func withSum(body []byte) []byte {
	return fmt.Appendf(body, "\n%08x\n", crc32.Checksum(body, castagnoli))
}

// Stream returns the stream of that id, nil when it is not known.
func (c *Checkpoint) Stream(id schema.StreamID) *Tracked {
	for _, t := range c.doc.Streams {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// nextSeq returns a segment number that was not used. It is saved with the next
// commit; until then the segment's own name, found again by useSeq, keeps it.
func (c *Checkpoint) nextSeq() uint64 {
	c.doc.Seq++
	return c.doc.Seq
}

// useSeq takes note of a number that a segment in the spool has.
func (c *Checkpoint) useSeq(seq uint64) { c.doc.Seq = max(c.doc.Seq, seq) }

// Collector is the id that names this folder's files in the archive.
func (c *Checkpoint) Collector() string { return c.doc.Collector }

package checkpoint

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sluice/ingest/logfile"
	"sluice/schema"
)

// A log is identified by its device and inode and by its first line. A renamed log keeps all of
// them. A copy that logrotate compressed, or made before a truncation, has the same first line, the
// same bytes before the stored position and the same rest of the fingerprint; and the file that it
// was made from is gone. If several streams match, the names decide. If the names are not related
// more equal bytes are needed, because the opposite mistake is worse: two logs that begin alike (a
// health check on every virtual host in one second) and are taken for one would lose lines.

// head returns the first line of b, at most schema.MaxHeadBytes of it.
func head(b []byte) []byte {
	b = b[:min(len(b), schema.MaxHeadBytes)]
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1]
	}
	return b
}

func hashOf(b []byte) string {
	sum := TailHash(b)
	return hex.EncodeToString(sum[:])
}

// HeadOf returns the hash of the first line of a file that starts with b, as in Stream.Head.
func HeadOf(b []byte) string {
	return hashOf(head(b))
}

// Begins reports whether a file that starts with b can be the stream.
func (t *Stream) Begins(b []byte) bool {
	return len(b) >= t.HeadBytes && hashOf(b[:t.HeadBytes]) == t.Head
}

// Log describes a file that is to be identified.
type Log struct {
	Path string
	ID   logfile.ID
	// BornNs is when the file was created, in nanoseconds since 1970; 0: not known.
	BornNs int64
	// Start is its first bytes, with at least its first line.
	Start []byte
	// Open opens its content from the beginning, for comparisons.
	Open func() (io.ReadCloser, error)
}

// Identify finds the stream of a log, or adds one with the host, path, format, zone and labels of
// origin. It may return an *otherHostError.
func (c *File) Identify(origin schema.StreamEntry, l Log) (*Stream, error) {
	if t := c.Find(origin.Host, l); t != nil {
		return t, nil
	}
	if err := c.Elsewhere(origin.Host, l.ID, l.Start); err != nil {
		return nil, err
	}
	for _, t := range c.Like(origin.Host, l.Path, l.Start) {
		if !c.HasTail(t) || !c.MayHold(t, l.Path, l.BornNs) {
			continue
		}
		same, err := c.Holds(t, l.Open)
		if err != nil {
			return nil, err
		}
		if same && !c.exists(t, filepath.Dir(l.Path)) {
			c.AddFile(t, l.Path, l.ID, l.BornNs)
			return t, nil
		}
	}
	return c.Add(origin, l), nil
}

const (
	// weakBytes: logs whose names are not related must have more equal bytes than this. Logs with a
	// few lines of a health check are shorter.
	weakBytes = 256
	// bornApartNs: files that were created within this time, as at the start of a web server, are
	// different logs. A copy is created later than its log.
	bornApartNs = 100e6
)

// MayHold reports whether a file with that name and birth time may be a copy of the stream's log if
// it has the stream's fingerprint.
func (c *File) MayHold(t *Stream, path string, bornNs int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	kinship := KinshipOf(path, t.Path)
	strong := t.TailAt >= weakBytes || kinship == RotatedElsewhere && bornNs != 0 && t.BornNs() != 0
	// Compressed files are not created by a server at its start, and a damaged one may be younger
	// than the valid one that replaces it.
	made := t.BornBefore(bornNs, bornApartNs) || logfile.CompressedName(path) && logfile.CompressedName(t.Path)
	return kinship == RotatedHere || strong && made
}

// BornBefore reports whether the stream's log was created at least so long before another file, or
// one of the two times is not known.
func (t *Stream) BornBefore(bornNs, apartNs int64) bool {
	first := t.BornNs()
	return bornNs == 0 || first == 0 || bornNs-first >= apartNs
}

// BornNs returns when the first of the stream's files was created; 0: not known.
func (t *Stream) BornNs() int64 {
	if len(t.Born) == 0 {
		return 0
	}
	return t.Born[0]
}

// HasFile reports whether a file is one of the stream's, and not a later file with the same inode.
func (c *File) HasFile(t *Stream, id logfile.ID, bornNs int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.hasFile(id, bornNs)
}

// hasFile is HasFile for a caller that holds c.mu.
func (t *Stream) hasFile(id logfile.ID, bornNs int64) bool {
	for i, known := range t.Files {
		if known == id && (bornNs == 0 || i >= len(t.Born) || t.Born[i] == 0 || t.Born[i] == bornNs) {
			return true
		}
	}
	return false
}

// otherHostError reports that the log's lines are stored under another host name, and would be stored
// once more under this one, for example after the machine was renamed.
type otherHostError struct{ Host, Other string }

func (e *otherHostError) Error() string {
	return fmt.Sprintf("its lines are stored under host %[2]s, and would be stored again under %[1]s: use --host %[2]s, or start from the beginning with another --data", e.Host, e.Other)
}

// Elsewhere returns an *otherHostError if the file has a stream of another host.
func (c *File) Elsewhere(host string, id logfile.ID, start []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range slices.Backward(c.byFile[id]) {
		if t.Host != host && t.Begins(start) {
			return &otherHostError{host, t.Host}
		}
	}
	return nil
}

// Find returns the stream that was last seen in this file, or nil.
func (c *File) Find(host string, l Log) *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range slices.Backward(c.byFile[l.ID]) {
		if t.Host == host && t.hasFile(l.ID, l.BornNs) && t.Begins(l.Start) {
			return t
		}
	}
	return nil
}

// Like returns the streams that begin as the file does, so that it may be a copy of them, which
// Holds decides. They are sorted by how closely the names are related, the newest first among
// equals.
func (c *File) Like(host, path string, start []byte) []*Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	var like []*Stream
	// The hash of a first line that was incomplete when it was first seen differs, so the names are
	// searched too.
	for _, t := range slices.Concat(c.byName[RotatedName(path)], c.byHead[HeadOf(start)]) {
		if t.Host == host && !slices.Contains(like, t) && t.Begins(start) {
			like = append(like, t)
		}
	}
	slices.Reverse(like)
	slices.SortStableFunc(like, func(a, b *Stream) int { return int(KinshipOf(path, b.Path)) - int(KinshipOf(path, a.Path)) })
	return like
}

// Named returns the streams of a log and its rotated copies, the newest first.
func (c *File) Named(host, path string) []*Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	var named []*Stream
	for _, t := range c.byName[RotatedName(path)] {
		if t.Host == host {
			named = append(named, t)
		}
	}
	slices.Reverse(named)
	return named
}

// Add adds a new stream for a log.
func (c *File) Add(origin schema.StreamEntry, l Log) *Stream {
	first, id := head(l.Start), l.ID
	t := &Stream{StreamEntry: origin, Files: []logfile.ID{id}, Born: []int64{l.BornNs}, HeadBytes: len(first), Head: hashOf(first)}
	if real, err := filepath.EvalSymlinks(l.Path); err == nil && real != l.Path {
		t.LastPath = real
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// A log that was truncated and begins again with the same line is a new stream nevertheless.
	named := slices.Clone(first)
	t.name(schema.NewStreamSeed(id.Device, id.Inode, named))
	for c.byID[t.ID] != nil {
		named = append(named, '+')
		t.name(schema.NewStreamSeed(id.Device, id.Inode, named))
	}
	c.doc.Streams = append(c.doc.Streams, t)
	c.enter(t)
	return t
}

// name sets the stream's id from its seed.
func (t *Stream) name(seed schema.StreamSeed) {
	t.Seed, t.ID = hex.EncodeToString(seed[:]), seed.ID(t.Host)
}

// AddFile records another file that has the stream.
func (c *File) AddFile(t *Stream, path string, id logfile.ID, bornNs int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.GoneUnix, t.LastPath = 0, ""
	if filepath.Dir(path) != filepath.Dir(t.Path) {
		t.LastPath = path
	}
	if t.hasFile(id, bornNs) {
		return
	}
	for len(t.Born) < len(t.Files) {
		t.Born = append(t.Born, 0)
	}
	t.Files, t.Born = append(t.Files, id), append(t.Born, bornNs)
	c.byFile[id] = append(c.byFile[id], t)
}

// Dirs returns the directories in which the stream's files were seen.
func (t *Stream) Dirs() []string {
	dirs := []string{filepath.Dir(t.Path)}
	if t.LastPath != "" && filepath.Dir(t.LastPath) != dirs[0] {
		dirs = append(dirs, filepath.Dir(t.LastPath))
	}
	return dirs
}

// exists reports whether one of the stream's files still exists: in a directory of Dirs, or in dir.
func (c *File) exists(t *Stream, dir string) bool {
	c.mu.Lock()
	t.settleTail()
	known := *t
	known.Files = slices.Clone(t.Files)
	known.Marks = slices.Clone(t.Marks)
	c.mu.Unlock()
	dirs := known.Dirs()
	if !slices.Contains(dirs, dir) {
		dirs = append(dirs, dir)
	}
	return slices.ContainsFunc(dirs, known.existsIn)
}

// existsIn reports whether one of the stream's files still exists, complete, in a directory.
func (t *Stream) existsIn(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // if the directory cannot be read, it may exist
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		id, err := logfile.IDOf(info)
		if err != nil || !slices.Contains(t.Files, id) {
			continue
		}
		l, err := logfile.Look(filepath.Join(dir, e.Name()))
		if err != nil || !t.hasFile(l.ID, l.BornNs) {
			continue
		}
		if whole, err := t.isWhole(l.Path); whole || err != nil {
			return true
		}
	}
	return false
}

// isWhole reports whether the file, which has the stream's inode, still has the stream: it was not
// truncated, and is not another file with the same inode.
func (t *Stream) isWhole(path string) (bool, error) {
	r, err := logfile.Open(path)
	if err != nil {
		return false, err
	}
	defer r.Close()
	start := make([]byte, t.HeadBytes)
	if _, err := io.ReadFull(r, start); err != nil {
		return false, nil
	}
	if !t.Begins(start) {
		return false, nil
	}
	if _, plain := r.(io.Seeker); !plain {
		// If a compressed file is damaged, a copy of the log may have what it lacks.
		if _, err := io.Copy(io.Discard, r); err != nil {
			return false, nil
		}
	}
	return t.contentMatches(func() (io.ReadCloser, error) { return logfile.Open(path) })
}

package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"sluice/schema"
)

// Identity of a log: the file system's name for it (device and inode) and its
// first line. A renamed log keeps both. One that logrotate compressed, or copied
// before truncating it, keeps its first line, the bytes before the stored
// position, its folder and, but for a number or a date, its name; and the file it
// was made of is gone. All of that is asked for, because the other mistake is the
// worse one: two logs that begin alike (a health check on every virtual host in
// one second) taken for one would lose lines.

func fileID(info os.FileInfo) (FileID, error) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return FileID{}, errors.New("the file system tells no inode")
	}
	return FileID{uint64(st.Dev), st.Ino}, nil
}

// head returns what of b is the first line, as far as identity goes.
func head(b []byte) []byte {
	b = b[:min(len(b), schema.MaxHeadBytes)]
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1]
	}
	return b
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// begins reports whether a file that starts with b can be the stream.
func (t *Tracked) begins(b []byte) bool {
	return len(b) >= t.HeadBytes && hash(b[:t.HeadBytes]) == t.Head
}

// identify finds the stream that the log is, or makes a new one. start is the
// log's first bytes; open gives its content from the beginning, for comparing.
func (c *Checkpoint) identify(host, path, format string, id FileID, start []byte, open func() (io.ReadCloser, error)) (*Tracked, error) {
	for _, t := range c.doc.Streams {
		if t.Host == host && slices.Contains(t.Files, id) && t.begins(start) {
			return t, nil
		}
	}
	for _, t := range c.doc.Streams {
		if t.Host != host || t.TailBytes == 0 || !t.begins(start) || rotatedName(t.Path) != rotatedName(path) {
			continue
		}
		same, err := t.contentMatches(open)
		if err != nil {
			return nil, err
		}
		if same && !t.exists() {
			t.Files = append(t.Files, id)
			return t, nil
		}
	}
	first := head(start)
	t := &Tracked{Files: []FileID{id}, HeadBytes: len(first), Head: hash(first)}
	t.StreamEntry.Stream = schema.Stream{
		ID: schema.NewStreamID(host, id.Device, id.Inode, first), Host: host, Path: path, Format: format,
	}
	if c.Stream(t.ID) != nil {
		return nil, fmt.Errorf("%s: stream %s is known under another file", path, t.ID)
	}
	c.doc.Streams = append(c.doc.Streams, t)
	return t, nil
}

// contentMatches reports whether the log holds the stream's last bytes where
// the stream has them.
func (t *Tracked) contentMatches(open func() (io.ReadCloser, error)) (bool, error) {
	r, err := open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, t.TailAt-int64(t.TailBytes)); err != nil {
		return false, nil // shorter, or damaged: it is not this stream
	}
	b := make([]byte, t.TailBytes)
	_, err = io.ReadFull(r, b)
	return err == nil && hash(b) == t.Tail, nil
}

// remember notes the bytes before position, for contentMatches.
func (t *Tracked) remember(before []byte, position int64) {
	before = before[max(0, len(before)-schema.MaxHeadBytes):]
	t.TailBytes, t.Tail, t.TailAt = len(before), hash(before), position
}

// rotatedName is the path without what logrotate and rotatelogs put behind it:
// a number or a date, and the compressor's suffix.
func rotatedName(path string) string {
	for _, suffix := range []string{".gz", ".zst", ".bz2"} {
		path = strings.TrimSuffix(path, suffix)
	}
	short := strings.TrimRight(path, "0123456789-_.")
	if short == path || strings.HasSuffix(short, "/") {
		return filepath.Clean(path)
	}
	return filepath.Clean(short)
}

// exists reports whether one of the files that the stream is known by is still
// there, whole, beside where it was first seen.
func (t *Tracked) exists() bool {
	dir := filepath.Dir(t.Path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // not known: then it may be there
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		id, err := fileID(info)
		if err != nil || !slices.Contains(t.Files, id) {
			continue
		}
		if whole, err := t.isWhole(filepath.Join(dir, e.Name())); whole || err != nil {
			return true
		}
	}
	return false
}

// isWhole reports whether the file, which has the stream's inode, still holds
// the stream: not truncated, and not another file that got its inode.
func (t *Tracked) isWhole(path string) (bool, error) {
	r, err := Open(path)
	if err != nil {
		return false, err
	}
	defer r.Close()
	start := make([]byte, t.HeadBytes)
	if _, err := io.ReadFull(r, start); err != nil {
		return false, nil
	}
	if !t.begins(start) {
		return false, nil
	}
	return t.contentMatches(func() (io.ReadCloser, error) { return Open(path) })
}

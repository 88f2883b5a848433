package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"

	"sluice/schema"
)

// Identity of a log: the file system's name for it (device and inode) and its
// first line. A renamed log keeps both. A log that was copied, or compressed by
// logrotate, keeps its first line and what stands before the stored position:
// that is looked for when a file is new, so that it is not stored a second time.

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
		if t.Host != host || t.TailBytes == 0 || !t.begins(start) {
			continue
		}
		same, err := t.contentMatches(open)
		if err != nil {
			return nil, err
		}
		if same {
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

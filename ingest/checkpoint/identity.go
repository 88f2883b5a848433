package checkpoint

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

	"sluice/ingest/logfile"
	"sluice/schema"
)

// Identity of a log: the file system's name for it (device and inode) and its
// first line. A renamed log keeps both. One that logrotate compressed, or copied
// before truncating it, keeps its first line, the bytes before the stored
// position, its folder and, but for a number or a date, its name; and the file it
// was made of is gone. All of that is asked for, because the other mistake is the
// worse one: two logs that begin alike (a health check on every virtual host in
// one second) taken for one would lose lines.

// head returns what of b is the first line, as far as identity goes.
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

// Begins reports whether a file that starts with b can be the stream.
func (t *Stream) Begins(b []byte) bool {
	return len(b) >= t.HeadBytes && hashOf(b[:t.HeadBytes]) == t.Head
}

// Identify finds the stream that the log is, or makes one of origin, which says
// host, path, format, zone and labels. start is the log's first bytes; open gives
// its content from the beginning, for comparing. *OtherHostError: see there.
func (c *File) Identify(origin schema.StreamEntry, id logfile.ID, start []byte, open func() (io.ReadCloser, error)) (*Stream, error) {
	if t := c.Find(origin.Host, id, start); t != nil {
		return t, nil
	}
	if err := c.Elsewhere(origin.Host, id, start); err != nil {
		return nil, err
	}
	for _, t := range c.Like(origin.Host, origin.Path, start) {
		same, err := c.Holds(t, open)
		if err != nil {
			return nil, err
		}
		if same && !c.exists(t) {
			c.AddFile(t, id)
			return t, nil
		}
	}
	return c.Add(origin, id, start), nil
}

// OtherHostError: the log's lines are under another host's name, and would be stored
// once more under this one. A machine that was given a new name is no reason for that.
type OtherHostError struct{ Host, Other string }

func (e *OtherHostError) Error() string {
	return fmt.Sprintf("its lines are stored as host %[2]s's, and would be stored once more as %[1]s's: go on with --host %[2]s, or begin anew with another --data", e.Host, e.Other)
}

// Elsewhere returns an *OtherHostError where this very file is another host's stream.
func (c *File) Elsewhere(host string, id logfile.ID, start []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range slices.Backward(c.byFile[id]) {
		if t.Host != host && t.Begins(start) {
			return &OtherHostError{host, t.Host}
		}
	}
	return nil
}

// Find returns the stream that was last seen in this very file, nil when there is
// none.
func (c *File) Find(host string, id logfile.ID, start []byte) *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range slices.Backward(c.byFile[id]) {
		if t.Host == host && t.Begins(start) {
			return t
		}
	}
	return nil
}

// Like returns the streams that the file may be a copy of, by its name and its
// beginning, the latest first; Holds tells whether it is.
func (c *File) Like(host, path string, start []byte) []*Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	var like []*Stream
	for _, t := range c.byName[RotatedName(path)] {
		if t.Host == host && t.TailBytes > 0 && t.Begins(start) {
			like = append(like, t)
		}
	}
	slices.Reverse(like)
	return like
}

// Named returns the streams of a log and its rotated copies, the latest first.
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

// Add makes a new stream. start is the log's first bytes, its first line at least.
func (c *File) Add(origin schema.StreamEntry, id logfile.ID, start []byte) *Stream {
	first := head(start)
	t := &Stream{StreamEntry: origin, Files: []logfile.ID{id}, HeadBytes: len(first), Head: hashOf(first)}
	c.mu.Lock()
	defer c.mu.Unlock()
	// A log that is truncated and begins again with the same line is a stream of
	// its own all the same.
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

// name gives the stream the id that its seed makes.
func (t *Stream) name(seed schema.StreamSeed) {
	t.Seed, t.ID = hex.EncodeToString(seed[:]), seed.ID(t.Host)
}

// AddFile notes one more file that holds the stream.
func (c *File) AddFile(t *Stream, id logfile.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Files = append(t.Files, id)
	t.GoneUnix = 0
	c.byFile[id] = append(c.byFile[id], t)
}

// tailBytes are enough to tell a log from another: a whole line, its time too.
const tailBytes = 256

// Remember notes the bytes before position, for Holds. They are copied; what
// they hash to is reckoned when it is asked for: thousands of batches a second
// come by.
func (c *File) Remember(t *Stream, before []byte, position int64) {
	before = before[max(0, len(before)-tailBytes):]
	c.mu.Lock()
	defer c.mu.Unlock()
	t.tail = append(t.tail[:0], before...)
	t.TailBytes, t.TailAt = len(before), position
}

// RememberLast is Remember for what is behind all that was noted before.
func (c *File) RememberLast(t *Stream, before []byte, position int64) {
	c.mu.Lock()
	behind := position > t.TailAt
	c.mu.Unlock()
	if behind { // another sender's, in the moment between, does no harm
		c.Remember(t, before, position)
	}
}

// Tail returns what Remember noted last: length bytes before at have that hash. length is
// 0 where nothing was noted.
func (c *File) Tail(t *Stream) (at int64, hash [12]byte, length int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.settleTail()
	sum, err := hex.DecodeString(t.Tail)
	if err != nil || len(sum) != len(hash) || t.TailBytes == 0 {
		return 0, hash, 0
	}
	return t.TailAt, [12]byte(sum), t.TailBytes
}

// TailHash is the hash of a stream's last bytes, as Tail returns it.
func TailHash(b []byte) [12]byte {
	sum := sha256.Sum256(b)
	return [12]byte(sum[:12])
}

// Contradicts reports whether data, which stand at start, have other bytes than were noted
// where both have them.
func (c *File) Contradicts(t *Stream, data []byte, start int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := t.TailAt - int64(t.TailBytes)
	if t.TailBytes == 0 || from < start || t.TailAt > start+int64(len(data)) {
		return false
	}
	b := data[from-start : t.TailAt-start]
	if t.tail != nil {
		return !bytes.Equal(b, t.tail)
	}
	return hashOf(b) != t.Tail
}

// settleTail brings Tail up to date with what Remember noted.
func (t *Stream) settleTail() {
	if t.tail != nil {
		t.Tail = hashOf(t.tail)
	}
}

// HasTail reports whether bytes were noted that Holds can look for.
func (c *File) HasTail(t *Stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.TailBytes > 0
}

// Holds reports whether the content has the stream's last bytes where the
// stream has them.
func (c *File) Holds(t *Stream, open func() (io.ReadCloser, error)) (bool, error) {
	c.mu.Lock()
	t.settleTail()
	known := *t
	c.mu.Unlock()
	return known.contentMatches(open)
}

// exists reports whether one of the stream's files is still there.
func (c *File) exists(t *Stream) bool {
	c.mu.Lock()
	t.settleTail()
	known := *t
	known.Files = slices.Clone(t.Files)
	c.mu.Unlock()
	return known.exists()
}

// contentMatches reports whether the log holds the stream's last bytes where
// the stream has them.
func (t *Stream) contentMatches(open func() (io.ReadCloser, error)) (bool, error) {
	r, err := open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	if err := logfile.Skip(r, t.TailAt-int64(t.TailBytes)); err != nil {
		return false, nil // shorter, or damaged: it is not this stream
	}
	b := make([]byte, t.TailBytes)
	_, err = io.ReadFull(r, b)
	return err == nil && hashOf(b) == t.Tail, nil
}

// RotatedName is the path without what logrotate and rotatelogs put behind it:
// a number or a date, and the compressor's suffix.
func RotatedName(path string) string {
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
func (t *Stream) exists() bool {
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
		id, err := logfile.IDOf(info)
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
	return t.contentMatches(func() (io.ReadCloser, error) { return logfile.Open(path) })
}

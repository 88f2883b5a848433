package checkpoint

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"

	"sluice/ingest/logfile"
	"sluice/schema"
)

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

// A log is identified by its device and inode and by its first line. A renamed log keeps all of
// them. A copy that logrotate compressed, or made before a truncation, has the same first line, the
// same bytes before the stored position and the same rest of the fingerprint; and the file that it
// was made from is gone. If several streams match, the names decide. If the names are not related
// more equal bytes are needed, because the opposite mistake is worse: two logs that begin alike (a
// health check on every virtual host in one second) and are taken for one would lose lines.

// Logs finds the stream of a log file by inode, name and content, and records new streams and their
// files.
type Logs struct {
	mu           *sync.Mutex // File.mu
	streams      *streamSet
	fingerprints *Fingerprints
}

// Identify finds the stream of a log, or adds one with the host, path, format, zone and labels of
// origin. It may return an *otherHostError.
func (l *Logs) Identify(origin schema.StreamEntry, f Log) (*Stream, error) {
	if t := l.Find(origin.Host, f); t != nil {
		return t, nil
	}
	if err := l.Elsewhere(origin.Host, f.ID, f.Start); err != nil {
		return nil, err
	}
	for _, t := range l.Like(origin.Host, f.Path, f.Start) {
		if !l.fingerprints.HasTail(t) || !l.MayHold(t, f.Path, f.BornNs) {
			continue
		}
		same, err := l.fingerprints.Holds(t, f.Open)
		if err != nil {
			return nil, err
		}
		if same && !l.exists(t, filepath.Dir(f.Path)) {
			l.AddFile(t, f.Path, f.ID, f.BornNs)
			return t, nil
		}
	}
	return l.Add(origin, f), nil
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
func (l *Logs) MayHold(t *Stream, path string, bornNs int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	kinship := KinshipOf(path, t.Path)
	strong := t.TailAt >= weakBytes || kinship == RotatedElsewhere && bornNs != 0 && t.BornNs() != 0
	// Compressed files are not created by a server at its start, and a damaged one may be younger
	// than the valid one that replaces it.
	made := t.BornBefore(bornNs, bornApartNs) || logfile.CompressedName(path) && logfile.CompressedName(t.Path)
	return kinship == RotatedHere || strong && made
}

// HasFile reports whether a file is one of the stream's, and not a later file with the same inode.
func (l *Logs) HasFile(t *Stream, id logfile.ID, bornNs int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return t.hasFile(id, bornNs)
}

// otherHostError reports that the log's lines are stored under another host name, and would be stored
// once more under this one, for example after the machine was renamed.
type otherHostError struct{ Host, Other string }

func (e *otherHostError) Error() string {
	return fmt.Sprintf("its lines are stored under host %[2]s, and would be stored again under %[1]s: use --host %[2]s, or start from the beginning with another --data", e.Host, e.Other)
}

// Elsewhere returns an *otherHostError if the file has a stream of another host.
func (l *Logs) Elsewhere(host string, id logfile.ID, start []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range slices.Backward(l.streams.logs.byFile[id]) {
		if t.Host != host && t.Begins(start) {
			return &otherHostError{host, t.Host}
		}
	}
	return nil
}

// Find returns the stream that was last seen in this file, or nil.
func (l *Logs) Find(host string, f Log) *Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range slices.Backward(l.streams.logs.byFile[f.ID]) {
		if t.Host == host && t.hasFile(f.ID, f.BornNs) && t.Begins(f.Start) {
			return t
		}
	}
	return nil
}

// Like returns the streams that begin as the file does, so that it may be a copy of them, which
// Fingerprints.Holds decides. They are sorted by how closely the names are related, the newest first
// among equals.
func (l *Logs) Like(host, path string, start []byte) []*Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	var like []*Stream
	// The hash of a first line that was incomplete when it was first seen differs, so the names are
	// searched too.
	for _, t := range slices.Concat(l.streams.logs.byName[RotatedName(path)], l.streams.logs.byHead[HeadOf(start)]) {
		if t.Host == host && !slices.Contains(like, t) && t.Begins(start) {
			like = append(like, t)
		}
	}
	slices.Reverse(like)
	slices.SortStableFunc(like, func(a, b *Stream) int { return int(KinshipOf(path, b.Path)) - int(KinshipOf(path, a.Path)) })
	return like
}

// Named returns the streams of a log and its rotated copies, the newest first.
func (l *Logs) Named(host, path string) []*Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	var named []*Stream
	for _, t := range l.streams.logs.byName[RotatedName(path)] {
		if t.Host == host {
			named = append(named, t)
		}
	}
	slices.Reverse(named)
	return named
}

// Add adds a new stream for a log.
func (l *Logs) Add(origin schema.StreamEntry, f Log) *Stream {
	first, id := head(f.Start), f.ID
	t := &Stream{StreamEntry: origin, Files: []logfile.ID{id}, Born: []int64{f.BornNs}, Fingerprint: Fingerprint{HeadBytes: len(first), Head: hashOf(first)}}
	if real, err := filepath.EvalSymlinks(f.Path); err == nil && real != f.Path {
		t.LastPath = real
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// A log that was truncated and begins again with the same line is a new stream nevertheless.
	named := slices.Clone(first)
	t.name(schema.NewStreamSeed(id.Device, id.Inode, named))
	for l.streams.byID[t.ID] != nil {
		named = append(named, '+')
		t.name(schema.NewStreamSeed(id.Device, id.Inode, named))
	}
	l.streams.add(t)
	return t
}

// AddFile records another file that has the stream.
func (l *Logs) AddFile(t *Stream, path string, id logfile.ID, bornNs int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
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
	l.streams.logs.addFile(t, id)
}

// Begin records a stream's first line if the stream was created without a file.
func (l *Logs) Begin(t *Stream, start []byte) {
	first := head(start)
	l.mu.Lock()
	defer l.mu.Unlock()
	t.HeadBytes, t.Head = len(first), hashOf(first)
	l.streams.logs.addHead(t)
}

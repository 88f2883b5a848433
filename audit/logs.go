package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/schema"
)

// log is a log file on this host, read from front to back.
type log struct {
	logfile.Log
	r  io.ReadCloser
	at int64
}

func (l *log) open() (err error) {
	l.at = 0
	l.r, err = l.Open()
	return err
}

func (l *log) close() error { return l.r.Close() }

// seek sets the position; a compressed log is read from its start to go back. It returns false if
// the log is shorter.
func (l *log) seek(position int64) (bool, error) {
	if s, ok := l.r.(io.Seeker); ok {
		end, err := s.Seek(0, io.SeekEnd)
		if err == nil && end >= position {
			l.at, err = s.Seek(position, io.SeekStart)
		}
		return end >= position, l.failed(err)
	}
	if position < l.at {
		if err := errors.Join(l.close(), l.open()); err != nil {
			return false, err
		}
	}
	n, err := io.CopyN(io.Discard, l.r, position-l.at)
	l.at += n
	if err == io.EOF {
		return false, nil
	}
	return err == nil, l.failed(err)
}

func (l *log) failed(err error) error {
	if damaged := (*logfile.DamagedError)(nil); errors.As(err, &damaged) {
		return damaged
	}
	if err != nil {
		return fmt.Errorf("%s: read at byte %d: %w", l.Path, l.at, err)
	}
	return nil
}

// read returns the range's bytes, fewer if the log ends before.
func (l *log) read(r schema.Range) ([]byte, error) {
	if there, err := l.seek(r.Start); !there {
		return nil, err
	}
	b := make([]byte, r.Len())
	n, err := io.ReadFull(l.r, b)
	l.at += int64(n)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return b[:n], l.failed(err)
}

// lines calls each with the range's whole lines, about a megabyte at a time.
func (l *log) lines(r schema.Range, each func(data []byte, start int64) error) error {
	if there, err := l.seek(r.Start); !there {
		return err
	}
	lines := logfile.NewLineReader(io.LimitReader(l.r, r.Len()), r.Start)
	var buffer []byte
	for {
		c, err := lines.Next(buffer)
		buffer = c.Data
		l.at = c.Start + int64(len(c.Data))
		if len(c.Data) > 0 {
			if err := each(c.Data, c.Start); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return l.failed(err)
		}
	}
}

// size is the length of the log's content.
func (l *log) size() (int64, error) {
	if s, ok := l.r.(io.Seeker); ok {
		return s.Seek(0, io.SeekEnd)
	}
	n, err := io.Copy(io.Discard, l.r)
	l.at += n
	return l.at, l.failed(err)
}

// candidate is a file that may be a stream's log.
type candidate struct {
	logfile.Log
	start []byte // its first bytes
}

// seen returns the candidate in the form that the checkpoint identifies.
func (c *candidate) seen() checkpoint.Log {
	return checkpoint.Log{Path: c.Path, ID: c.ID, BornNs: c.BornNs, Start: c.start, Open: c.Open}
}

// directories caches the candidates in the directories of logs.
type directories map[string][]candidate

// list lists a directory. Files that cannot be read are left out, and the audit reports "no log
// here".
func (f directories) list(dir string) ([]candidate, error) {
	if known, ok := f[dir]; ok {
		return known, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	var found []candidate
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		l, err := logfile.Look(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		if start, err := head(l); err == nil && len(start) > 0 {
			found = append(found, candidate{l, start})
		}
	}
	f[dir] = found
	return found, nil
}

// head reads the first bytes of a log, from its first line on.
func head(l logfile.Log) (start []byte, err error) {
	r, err := l.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	start, _, err = logfile.Head(r, make([]byte, schema.MaxHeadBytes))
	if damaged := (*logfile.DamagedError)(nil); errors.As(err, &damaged) {
		err = nil // it is compared as far as it can be read
	}
	return start, err
}

// findLogs finds each stream's log in the directory where it was first found.
func (a *audit) findLogs() error {
	f := directories{}
	for _, s := range a.streams {
		if !filepath.IsAbs(s.Path) || s.Sparse || s.tracked == nil && s.Host != a.Host {
			continue
		}
		dirs := []string{filepath.Dir(s.Path)}
		if s.tracked != nil {
			dirs = s.tracked.Dirs()
		}
		var candidates []candidate
		for _, dir := range dirs {
			found, err := f.list(dir)
			if err != nil {
				return err
			}
			candidates = append(candidates, found...)
		}
		for _, c := range candidates {
			is, err := a.isLog(s, c)
			if err != nil {
				return err
			}
			// An uncompressed log is cheaper to read than its compressed copy.
			if is && (s.log == nil || s.log.Compressed()) {
				s.log, s.LogPath = &log{Log: c.Log}, c.Path
			}
		}
	}
	return nil
}

// isLog reports whether the file is the stream's log or a copy of it.
func (a *audit) isLog(s *stream, c candidate) (bool, error) {
	if s.tracked == nil {
		first := c.start
		if i := bytes.IndexByte(first, '\n'); i >= 0 {
			first = first[:i+1]
		}
		return schema.NewStreamID(s.Host, c.ID.Device, c.ID.Inode, first) == s.ID, nil
	}
	if slices.Contains(s.tracked.Files, c.ID) {
		if t := a.Checkpoint.Logs.Find(s.Host, c.seen()); t != nil {
			return t == s.tracked, nil
		}
		// Otherwise another log got its inode, or its first line was changed.
		return a.Checkpoint.Fingerprints.HoldsEnd(s.tracked, c.Open)
	}
	if !s.tracked.Begins(c.start) || !a.Checkpoint.Logs.MayHold(s.tracked, c.Path, c.BornNs) || a.Checkpoint.Logs.Find(s.Host, c.seen()) != nil {
		return false, nil
	}
	return a.Checkpoint.Fingerprints.Holds(s.tracked, c.Open)
}

// Package monitor calculates the state of hosts and of the process (Fleet.Check), and serves it
// as /health, Prometheus metrics, Flume's JSON metrics, a table and a status file.
package monitor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"sluice/ingest/agent"
	"sluice/ingest/collector"
	"sluice/ingest/governor"
	"sluice/ingest/tail"
)

// Status is the content of the status file, which a process that follows logs writes every few
// seconds.
type Status struct {
	At      time.Time `json:"at"`
	PID     int       `json:"pid"`
	Began   time.Time `json:"began"`
	Host    string    `json:"host"`
	Version string    `json:"version"`
	// Lines and the following counters count since Began.
	Lines        int64 `json:"lines"`
	Bytes        int64 `json:"bytes"`
	Rows         int64 `json:"rows"`
	ParseErrors  int64 `json:"parse_errors"`
	ArchiveFiles int64 `json:"archive_files"`
	// LostBytes is the number of bytes that were deleted before they were read, LostFiles of the
	// logs in which that happened.
	LostBytes int64 `json:"lost_bytes"`
	LostFiles int64 `json:"lost_files"`
	// Failures counts failed reads. Logs has the current failures.
	Failures int64          `json:"failures"`
	Governor governor.State `json:"governor,omitzero"`
	Logs     tail.Status    `json:"logs,omitzero"`
	// Storing is the state of a collector or a run, which stores lines from the spool in table and
	// archive.
	Storing *collector.State `json:"storing,omitempty"`
	// Sending is the state of an agent's connection to its collector.
	Sending *agent.State `json:"sending,omitempty"`
	// Health is the content of /health.
	Health *Health `json:"health,omitempty"`
}

// maxStatusBytes is the maximum size of a status file, enough for ten thousand hosts.
const maxStatusBytes = 16 << 20

// Write replaces the status file at path. The file is not synced: after a crash, the next process
// writes its own.
func Write(path string, s *Status) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	// Always create a new file: it must not be written through a link or a file that another user
	// placed there.
	temporary := path + ".tmp"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("status: %w", err)
	}
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	b = append(b, bytes.Repeat([]byte{'\n'}, spareBytes)...)
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, os.Remove(temporary))
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			err = overwrite(path, b, err)
		}
		if err != nil {
			return fmt.Errorf("status: %w", err)
		}
		return nil
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

// spareBytes is the number of newlines at the end of a status file. On a full disk, a status that
// is longer than the last one must fit into the file's existing blocks.
const spareBytes = 8 << 10

// overwrite writes b into the existing file at path without allocating blocks, because the disk is
// full: the status file may be the only place where that is reported. It returns full if b does not
// fit.
func overwrite(path string, b []byte, full error) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return errors.Join(full, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return errors.Join(full, err)
	}
	text := len(bytes.TrimRight(b, "\n"))
	if !info.Mode().IsRegular() || int64(text) > info.Size() {
		return full
	}
	b = append(b[:text:text], bytes.Repeat([]byte{'\n'}, int(info.Size())-text)...)
	if _, err := f.WriteAt(b, 0); err != nil {
		return errors.Join(full, err)
	}
	return nil
}

// Read reads the status file at path.
func Read(path string) (s Status, err error) {
	f, err := os.Open(path)
	if err != nil {
		return s, fmt.Errorf("status: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, maxStatusBytes+1))
	if err == nil && len(b) > maxStatusBytes {
		err = fmt.Errorf("it is larger than %d bytes", maxStatusBytes)
	}
	if err != nil {
		return s, fmt.Errorf("status: read %s: %w", path, err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("status: %s: %w", path, err)
	}
	return s, nil
}

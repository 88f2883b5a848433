package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// sweep is a lower bound: it checks a fixed list of files at an interval, and reads what is new. It
// does not handle new or rotated files.
type sweep struct {
	*rangeSink
	interval time.Duration
	files    []*os.File
	at       []int64 // delivered position in each file
	buffer   []byte
}

const sweepBufferBytes = 256 << 10

func newSweep(spec tailSpec, interval time.Duration, sink *rangeSink) (*sweep, error) {
	s := &sweep{rangeSink: sink, interval: interval, buffer: make([]byte, sweepBufferBytes)}
	names, err := filepath.Glob(filepath.Join(spec.Fleet.Dir, "*.log"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.files = append(s.files, f)
	}
	s.at = make([]int64, len(s.files))
	return s, nil
}

// Run implements tailWork.
func (s *sweep) Run(ctx context.Context) error {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for {
		for i := range s.files {
			if err := s.read(i); err != nil {
				return errors.Join(err, s.close())
			}
		}
		select {
		case <-ctx.Done():
			return s.close()
		case <-tick.C:
		}
	}
}

// read delivers the new whole lines of one file.
func (s *sweep) read(i int) error {
	fd := int(s.files[i].Fd())
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("fstat %s: %w", s.files[i].Name(), err)
	}
	for s.at[i] < st.Size {
		n, err := unix.Pread(fd, s.buffer, s.at[i])
		if err != nil {
			return fmt.Errorf("read %s: %w", s.files[i].Name(), err)
		}
		data := s.buffer[:bytes.LastIndexByte(s.buffer[:n], '\n')+1]
		if len(data) == 0 {
			return nil
		}
		if err := s.take(uint64(i), s.at[i], data, bytes.Count(data, []byte{'\n'})); err != nil {
			return err
		}
		s.at[i] += int64(len(data))
	}
	return nil
}

func (s *sweep) close() error {
	var err error
	for _, f := range s.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sluice/ingest/segment/vfs"
)

// table describes one ring of records in a file.
type table struct {
	kind   byte
	offset int64         // in the file
	slots  int64         // records in the ring
	step   time.Duration // time of one record
}

const (
	headerBytes = 512
	minuteSlots = 8 * 24 * 60
	// QuarterMinutes is the number of minutes of a sample of Quarters.
	QuarterMinutes = 15
	quarterSlots   = 400 * 24 * 60 / QuarterMinutes

	minutesOffset  = headerBytes
	quartersOffset = minutesOffset + minuteSlots*recordBytes
	changesOffset  = quartersOffset + quarterSlots*recordBytes
	fileBytes      = changesOffset + changeSlots*changeBytes
)

var (
	minuteTable  = table{'m', minutesOffset, minuteSlots, time.Minute}
	quarterTable = table{'q', quartersOffset, quarterSlots, QuarterMinutes * time.Minute}
)

func (t *table) slotOf(at time.Time) int64   { return at.Unix() / int64(t.step/time.Second) }
func (t *table) place(slot int64) int64      { return t.offset + slot%t.slots*recordBytes }
func (t *table) timeOf(slot int64) time.Time { return time.Unix(slot*int64(t.step/time.Second), 0) }

const (
	magic  = "sluice history 1\n"
	suffix = ".history"
	// damagedSuffix is added to the name of a file that cannot be used.
	damagedSuffix = ".damaged"
	maxNameBytes  = 240
)

// errDamaged is returned for a file that is not a valid history of the host.
var errDamaged = errors.New("not a history file, or damaged")

// fileName returns the name of a host's file. A host name that is not a valid file name, or could
// be the name of another file, is hashed; hashed names begin with an underscore.
func fileName(host string) string {
	if host == "" || len(host) > maxNameBytes || host[0] == '.' || host[0] == '_' || strings.ContainsAny(host, "/\x00") {
		sum := sha256.Sum256([]byte(host))
		return "_" + hex.EncodeToString(sum[:]) + suffix
	}
	return host + suffix
}

// header returns the header of a host's file.
func header(host string) []byte {
	b := make([]byte, headerBytes)
	n := copy(b, magic)
	binary.BigEndian.PutUint16(b[n:], uint16(min(len(host), maxNameBytes+16)))
	copy(b[n+2:headerBytes-4], host)
	binary.BigEndian.PutUint32(b[headerBytes-4:], crc32.Checksum(b[:headerBytes-4], castagnoli))
	return b
}

// open opens a host's file. It returns fs.ErrNotExist if there is none, and errDamaged if its
// header or size is wrong.
func open(fsys vfs.FS, path, host string, flag int) (f vfs.File, err error) {
	if f, err = fsys.OpenFile(path, flag, 0); err != nil {
		return nil, err
	}
	if err = check(f, host); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// check returns errDamaged if f is not the file of the host.
func check(f vfs.File, host string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != fileBytes {
		return fmt.Errorf("%w: %d bytes, want %d", errDamaged, info.Size(), fileBytes)
	}
	got := make([]byte, headerBytes)
	if _, err := f.ReadAt(got, 0); err != nil {
		return err
	}
	if !bytes.Equal(got, header(host)) {
		return fmt.Errorf("%w: header", errDamaged)
	}
	return nil
}

// create creates a host's file atomically.
func create(fsys vfs.FS, path, host string) (err error) {
	if err := vfs.MkdirAll(fsys, filepath.Dir(path), 0o750); err != nil {
		return err
	}
	temporary := path + ".new"
	f, err := fsys.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(header(host), 0)
	if err == nil {
		err = f.Truncate(fileBytes)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, fsys.Remove(temporary))
	}
	return fsys.Rename(temporary, path)
}

// openOrCreate opens a host's file for writing. A damaged file is renamed first.
func (s *Store) openOrCreate(host string) (vfs.File, error) {
	path := s.path(host)
	f, err := open(s.cfg.FS, path, host, os.O_RDWR)
	if errors.Is(err, errDamaged) {
		s.cfg.Log.Warn("history file damaged, renamed; a new one is started", "host", host, "path", path+damagedSuffix, "err", err)
		if err := s.cfg.FS.Rename(path, path+damagedSuffix); err != nil {
			return nil, err
		}
		err = fs.ErrNotExist
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(s.cfg.FS, path, host); err != nil {
			return nil, err
		}
		return open(s.cfg.FS, path, host, os.O_RDWR)
	}
	return f, err
}

func (s *Store) path(host string) string { return filepath.Join(s.cfg.Dir, fileName(host)) }

// read reads the samples of the slots from ≤ slot < to. Samples older than the ring are absent.
func (t *table) read(f vfs.File, from, to int64) ([]Sample, error) {
	samples := make([]Sample, to-from)
	for slot := max(from, to-t.slots); slot < to; {
		n := min(to-slot, t.slots-slot%t.slots) // up to the ring's end
		b := make([]byte, n*recordBytes)
		if _, err := f.ReadAt(b, t.place(slot)); err != nil {
			return samples, err
		}
		for i := range n {
			x := &samples[slot+i-from]
			if !x.get((*[recordBytes]byte)(b[i*recordBytes:]), t, slot+i) {
				*x = Sample{}
			}
		}
		slot += n
	}
	return samples, nil
}

// write writes one sample.
func (t *table) write(f vfs.File, slot int64, x *Sample) error {
	var b [recordBytes]byte
	x.put(&b, t, slot)
	_, err := f.WriteAt(b[:], t.place(slot))
	return err
}

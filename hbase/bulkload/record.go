package bulkload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// recordSuffix ends the name of a file that names a staging directory.
	recordSuffix = ".staging"
	// fileSuffix ends the name of an HFile on the local disk. It need not survive a crash: its rows
	// are made again.
	fileSuffix = ".hfile"
)

// record is a staging directory of this or an earlier process.
type record struct {
	Table string `json:"table"`
	Token string `json:"token"`
}

// ErrInUse is returned if another process uses the local directory.
var ErrInUse = errors.New("another process uses the directory")

// lockDir creates the local directory and locks it until the file is closed.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, ErrInUse), f.Close())
	}
	return f, nil
}

// recordPath is the file for a token, whose last element is unique.
func (l *Loader) recordPath(token string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, token[strings.LastIndexByte(token, '/')+1:])
	return filepath.Join(l.o.Dir, name+recordSuffix)
}

// record saves a token, so that the next process removes the directory if this one cannot.
func (l *Loader) record(token string) (err error) {
	b, err := json.Marshal(record{l.regions.Name(), token})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(l.recordPath(token), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

func (l *Loader) unrecord(token string) error {
	if err := os.Remove(l.recordPath(token)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sweep removes what an earlier process left: files on the local disk, and staging directories of
// this table. Directories that cannot be removed stay recorded, and are only logged.
func (l *Loader) sweep(ctx context.Context) error {
	names, err := os.ReadDir(l.o.Dir)
	if err != nil {
		return err
	}
	for _, entry := range names {
		path := filepath.Join(l.o.Dir, entry.Name())
		switch {
		case strings.HasSuffix(entry.Name(), fileSuffix):
			if err := os.Remove(path); err != nil {
				return err
			}
		case strings.HasSuffix(entry.Name(), recordSuffix):
			l.sweepRecorded(ctx, path)
		}
	}
	return ctx.Err()
}

// sweepRecorded removes one staging directory, if it is of this table.
func (l *Loader) sweepRecorded(ctx context.Context, path string) {
	var r record
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	switch {
	case err != nil || r.Token == "": // torn by a crash: nothing was staged yet
		err = os.Remove(path)
	case r.Table != l.regions.Name():
		return // that table's next process removes it
	default:
		err = l.cleanup(ctx, r.Token)
	}
	if err != nil && ctx.Err() == nil {
		l.o.Logger.Warn("cannot remove the staging directory of an earlier process, will retry at the next start", "path", path, "err", err)
	}
}

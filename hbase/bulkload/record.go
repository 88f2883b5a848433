package bulkload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// recordSuffix ends the name of a file that names a staging directory.
const recordSuffix = ".staging"

// record is a staging directory of this or an earlier process.
type record struct {
	Table string `json:"table"`
	Token string `json:"token"`
	path  string
	err   error // it cannot be read
}

// errInUse is returned if another process uses the local directory.
var errInUse = errors.New("another process uses the directory")

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
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, errInUse), f.Close())
	}
	return f, nil
}

// records are the names of staging directories that this and earlier processes were given, one in
// each file, so that the next process removes what this one could not.
type records struct {
	dir   string
	table string
}

// path is the file for a token, whose last element is unique.
func (r *records) path(token string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, token[strings.LastIndexByte(token, '/')+1:])
	return filepath.Join(r.dir, name+recordSuffix)
}

// save saves a token.
func (r *records) save(token string) (err error) {
	b, err := json.Marshal(record{Table: r.table, Token: token})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(r.path(token), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

// remove removes the record of a directory that was removed.
func (r *records) remove(token string) error {
	if err := os.Remove(r.path(token)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// all returns the records of all tables. The token of one that a crash has torn is empty. One that
// cannot be read, for example because another user wrote it, has the error.
func (r *records) all() (all []record, err error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), recordSuffix) {
			continue
		}
		saved := record{path: filepath.Join(r.dir, entry.Name())}
		var b []byte
		if b, saved.err = os.ReadFile(saved.path); saved.err == nil && json.Unmarshal(b, &saved) != nil {
			saved.Token = ""
		}
		all = append(all, saved)
	}
	return all, nil
}

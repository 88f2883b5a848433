package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace replaces the file at path atomically: after a crash either the old or the new file is
// there.
func Replace(fsys FS, path string, body []byte) error {
	// The temporary file must be created by this call. A file or link that another user placed
	// there must not receive the content.
	temporary := path + ".tmp"
	if err := fsys.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := fsys.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(body, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename(temporary, path); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(path))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// WithSum appends a line with the checksum of body, a document of one line.
func WithSum(body []byte) []byte {
	return fmt.Appendf(body, "\n%08x\n", crc32.Checksum(body, castagnoli))
}

// WithoutSum verifies the checksum that WithSum appended and returns the document.
func WithoutSum(b []byte) ([]byte, error) {
	body, sum, ok := bytes.Cut(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	if !ok || string(sum) != fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)) {
		return nil, errors.New("its checksum does not fit")
	}
	return body, nil
}

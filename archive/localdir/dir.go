package localdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// mkdirAll makes dir and what is missing above it, and syncs the parent of each
// that it made. The parent of a dir that exists is synced too, for who made it may
// have died before doing so; unless it is a place that we may only pass through.
func mkdirAll(dir string) error {
	parent := filepath.Dir(dir)
	err := os.Mkdir(dir, dirPerm)
	if errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := mkdirAll(parent); err != nil {
			return err
		}
		err = os.Mkdir(dir, dirPerm)
	}
	if err == nil {
		return syncDir(parent)
	}
	if info, statErr := os.Stat(dir); statErr != nil || !info.IsDir() {
		return err
	}
	if err := syncDir(parent); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

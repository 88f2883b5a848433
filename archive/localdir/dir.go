package localdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// mkdirAll creates dir and missing directories above it, and syncs the parent of each one. The
// parent of an existing dir is synced, too, as the process that created it may have died before it
// did so; unless the parent may only be searched.
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

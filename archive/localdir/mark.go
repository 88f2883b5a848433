package localdir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"sluice/archive"
)

// Mark implements archive.Archive.
func (a *Archive) Mark(_ context.Context, dir string) error {
	err := archive.CheckName(dir)
	if err == nil {
		err = mark(a.path(dir))
	}
	if err != nil {
		return fmt.Errorf("archive %s: mark %s as complete: %w", a.root, dir, err)
	}
	return nil
}

func mark(dir string) error {
	if err := mkdirAll(dir); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, archive.DoneFile), os.O_WRONLY|os.O_CREATE|syscall.O_NOFOLLOW, filePerm)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncDir(dir)
}

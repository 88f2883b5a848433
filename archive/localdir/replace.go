package localdir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sluice/archive"
)

// Replace implements archive.Archive.
func (a *Archive) Replace(ctx context.Context, localPath, name string) error {
	err := archive.CheckName(name)
	if err == nil {
		err = a.replace(ctx, localPath, a.path(name))
	}
	if err != nil {
		return fmt.Errorf("archive %s: replace %s: %w", a.root, name, err)
	}
	return nil
}

func (a *Archive) replace(ctx context.Context, localPath, final string) (err error) {
	if _, err := os.Stat(final); err != nil {
		return err
	}
	src, err := openRegular(localPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	if err := a.placeCopy(ctx, src, final); err != nil {
		return err
	}
	return syncDir(filepath.Dir(final))
}

// Remove implements archive.Archive.
func (a *Archive) Remove(_ context.Context, name string) error {
	err := archive.CheckName(name)
	if err == nil {
		err = os.Remove(a.path(name))
	}
	if err == nil {
		err = syncDir(filepath.Dir(a.path(name)))
	}
	if err != nil {
		return fmt.Errorf("archive %s: remove: %w", a.root, err)
	}
	return nil
}

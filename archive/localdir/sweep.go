package localdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sluice/archive"
)

// Sweep implements archive.Archive.
func (a *Archive) Sweep(ctx context.Context) error {
	if err := a.sweep(ctx); err != nil {
		return fmt.Errorf("archive %s: sweep: %w", a.root, err)
	}
	return nil
}

func (a *Archive) sweep(ctx context.Context) error {
	entries, err := os.ReadDir(a.tmpDir())
	if err != nil {
		return err
	}
	var others []string
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(a.tmpDir(), e.Name())
		switch a.temp.OwnerOf(e.Name()) {
		case archive.TempEarlier:
			if err := os.Remove(path); err != nil {
				return err
			}
		case archive.TempOther:
			others = append(others, path)
		}
	}
	return a.sweepAbandoned(others)
}

// sweepAbandoned removes the abandoned temporary files of other owners.
func (a *Archive) sweepAbandoned(paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	now, err := a.clock()
	if err != nil {
		return nil // the age is unknown; the next sweep tries again
	}
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err == nil && info.Mode().IsRegular() && archive.Abandoned(info.ModTime(), now) {
			err = os.Remove(path)
		}
		// Another sweep removed it, or the file belongs to another user.
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// clock returns the time of the file system's clock, which may be a server's.
func (a *Archive) clock() (now time.Time, err error) {
	f, err := createNew(a.tmpName())
	if err != nil {
		return now, err
	}
	info, err := f.Stat()
	if err == nil {
		now = info.ModTime()
	}
	return now, errors.Join(err, f.Close(), os.Remove(f.Name()))
}

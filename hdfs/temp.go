package hdfs

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"time"

	"sluice/archive"
)

// tempFiles are the files of uploads, in a directory of their own until they are complete.
type tempFiles struct {
	dir     string
	names   *archive.TempNames // nil: for reading only
	calls   *caller
	creator *creator
	logger  *slog.Logger
}

// next returns the path of a new file.
func (t *tempFiles) next() string { return path.Join(t.dir, t.names.Next()) }

// discard makes one attempt to remove the temporary file of a failed upload; otherwise Sweep
// removes it.
func (t *tempFiles) discard(ctx context.Context, tmp string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if err := t.calls.pool.do(ctx, func(c *client) error { return remove(c, tmp) }); err != nil {
		t.logger.Warn("cannot remove the temporary file of an upload, will retry at the next start", "path", tmp, "err", err)
	}
}

// Sweep implements archive.Archive.
func (a *Archive) Sweep(ctx context.Context) error {
	return a.root.on(archive.TmpDir, "sweep", a.temp.sweep(ctx))
}

// sweep removes the files of earlier processes with this owner, and abandoned ones of others.
func (t *tempFiles) sweep(ctx context.Context) error {
	if t.names == nil {
		return errReadOnly
	}
	var others []os.FileInfo
	err := t.calls.again(ctx, "sweep", func(c *client) error {
		others = nil
		infos, err := c.ReadDir(t.dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, info := range infos {
			switch t.names.OwnerOf(info.Name()) {
			case archive.TempEarlier:
				if err == nil {
					err = remove(c, path.Join(t.dir, info.Name()))
				}
			case archive.TempOther:
				others = append(others, info)
			}
		}
		return err
	})
	if err == nil && len(others) > 0 {
		err = t.sweepAbandoned(ctx, others)
	}
	return err
}

// sweepAbandoned makes one attempt to remove the abandoned temporary files of other owners. A
// failure is only logged, as no caller depends on it.
func (t *tempFiles) sweepAbandoned(ctx context.Context, infos []os.FileInfo) error {
	err := t.calls.once(ctx, func(c *client) error {
		now, err := t.clock(ctx, c)
		if err != nil {
			return err
		}
		var denied error // an administrator can remove the file; the others can still be removed
		for _, info := range infos {
			if info.IsDir() || !archive.Abandoned(info.ModTime(), now) {
				continue
			}
			err := remove(c, path.Join(t.dir, info.Name()))
			if errors.Is(err, fs.ErrPermission) {
				denied = err
			} else if err != nil {
				return err
			}
		}
		return denied
	})
	if err != nil && ctx.Err() == nil {
		t.logger.Warn("cannot remove abandoned uploads of other collectors, retrying with the next sweep", "path", t.dir, "err", err)
	}
	return ctx.Err()
}

// clock returns the time of the name node's clock, which sets the times of all files.
func (t *tempFiles) clock(ctx context.Context, c *client) (now time.Time, err error) {
	tmp := t.next()
	if err := t.creator.empty(ctx, c, tmp); err != nil {
		return now, err
	}
	info, err := c.Stat(tmp)
	if err == nil {
		now = info.ModTime()
	}
	return now, errors.Join(err, remove(c, tmp))
}

package hdfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"time"

	"sluice/archive"
)

// Sweep implements archive.Archive.
func (a *Archive) Sweep(ctx context.Context) error {
	if a.temp == nil {
		return a.on(archive.TmpDir, "sweep", errReadOnly)
	}
	var others []os.FileInfo
	err := a.again(ctx, "sweep", func(c *client) error {
		others = nil
		infos, err := c.ReadDir(a.tmpDir())
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, info := range infos {
			switch a.temp.OwnerOf(info.Name()) {
			case archive.TempEarlier:
				if err == nil {
					err = remove(c, path.Join(a.tmpDir(), info.Name()))
				}
			case archive.TempOther:
				others = append(others, info)
			}
		}
		return err
	})
	if err == nil && len(others) > 0 {
		err = a.sweepAbandoned(ctx, others)
	}
	return a.on(archive.TmpDir, "sweep", err)
}

// sweepAbandoned makes one attempt to remove the abandoned temporary files of other owners. A
// failure is only logged, as no caller depends on it.
func (a *Archive) sweepAbandoned(ctx context.Context, infos []os.FileInfo) error {
	err := a.pool.doBy(ctx, a.connectedBy(time.Now()), func(c *client) error {
		now, err := a.clock(ctx, c)
		if err != nil {
			return err
		}
		var denied error // an administrator can remove the file; the others can still be removed
		for _, info := range infos {
			if info.IsDir() || !archive.Abandoned(info.ModTime(), now) {
				continue
			}
			err := remove(c, path.Join(a.tmpDir(), info.Name()))
			if errors.Is(err, fs.ErrPermission) {
				denied = err
			} else if err != nil {
				return err
			}
		}
		return denied
	})
	if err != nil && ctx.Err() == nil {
		a.o.Logger.Warn("cannot remove abandoned uploads of other collectors, retrying with the next sweep", "path", a.tmpDir(), "err", explain(err, a.kerberos))
	}
	return ctx.Err()
}

// clock returns the time of the name node's clock, which sets the times of all files.
func (a *Archive) clock(ctx context.Context, c *client) (now time.Time, err error) {
	replication, blockBytes, err := a.shape(c)
	if err != nil {
		return now, err
	}
	tmp := a.tmpName()
	w, err := c.CreateFile(tmp, replication, blockBytes, a.o.Permissions)
	if err != nil {
		return now, err
	}
	if err := a.finish(ctx, w); err != nil {
		return now, err
	}
	info, err := c.Stat(tmp)
	if err == nil {
		now = info.ModTime()
	}
	return now, errors.Join(err, remove(c, tmp))
}

package hdfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	"sluice/archive"
	"sluice/retry"
)

// Options are the attributes of new files, and time limits.
type Options struct {
	// Owner is the id of the collector; no two that run at the same time may share one. "" is for
	// reading only.
	Owner string
	// Permissions are those of files; directories get the execute bit for each read bit. 0: 0640.
	Permissions fs.FileMode
	// User and Group are the owner of new files and directories, if set; HDFS lets only its
	// superuser set them.
	User, Group string
	// Replication and BlockBytes are HDFS's defaults if 0.
	Replication int
	BlockBytes  int64
	// Uploads is the number of concurrent Stores; others wait. 0: 2.
	Uploads int
	// Timeout bounds a connection attempt and the silence of a server. 0: 30 s.
	Timeout time.Duration
	// Wait is the time after which a failing operation returns an *UnreachableError; 0: it is
	// retried until its context ends. The time of a first attempt that was connected does not count.
	Wait   time.Duration
	Logger *slog.Logger
}

// Archive implements archive.Archive in HDFS. A failing operation is retried until the context or
// Options.Wait ends, unless a retry cannot help. It is safe for concurrent use.
//
// caller makes the calls; uploader stores files, with the attributes of creator, by way of tempFiles.
type Archive struct {
	root    root
	service tokenService
	calls   *caller
	temp    *tempFiles
	uploads *uploader
}

var _ archive.Archive = (*Archive)(nil)

// Open uses the directory at of a cluster as an archive. It does not connect to the cluster.
func Open(cluster Cluster, at string, o Options) (*Archive, error) {
	var names *archive.TempNames
	if o.Owner != "" {
		var err error
		if names, err = archive.NewTempNames(o.Owner); err != nil {
			return nil, fmt.Errorf("archive %s: %w", at, err)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	conns := &pool{
		options: cluster.options, login: cluster.login, transfer: cluster.transfer, dialTCP: (&net.Dialer{}).DialContext,
		timeout: cmp.Or(o.Timeout, 30*time.Second), now: time.Now, nameNodes: slices.Clone(cluster.options.Addresses), results: map[string]string{},
	}
	calls := &caller{
		pool: conns, retries: &retry.Registry{Of: "hdfs", Now: time.Now, Log: o.Logger}, wait: o.Wait, sleep: retry.Sleep,
	}
	files := &creator{
		permissions: cmp.Or(o.Permissions, 0o640), user: o.User, group: o.Group,
		replication: o.Replication, blockBytes: o.BlockBytes, sleep: retry.Sleep,
	}
	dir := root(path.Clean(at))
	temp := &tempFiles{dir: dir.path(archive.TmpDir), names: names, calls: calls, creator: files, logger: o.Logger}
	return &Archive{
		root: dir, service: cluster.service, calls: calls, temp: temp,
		uploads: &uploader{calls: calls, creator: files, temp: temp, slots: make(chan struct{}, cmp.Or(o.Uploads, 2))},
	}, nil
}

// Close closes the connections. No call may be running.
func (a *Archive) Close() error { return a.calls.pool.close() }

// root is the archive's directory in HDFS.
type root string

// path returns the path of an archive file.
func (r root) path(name string) string { return path.Join(string(r), name) }

// on adds the operation and the name to an error.
func (r root) on(name, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("archive hdfs:%s: %s: %w", r, strings.TrimSuffix(what+" "+name, " "), err)
}

// LogIn makes one attempt to get a ticket, if one is needed. The error is protection.ErrSettings if
// a retry cannot help.
func (a *Archive) LogIn(ctx context.Context) error {
	if a.calls.pool.login == nil {
		return nil
	}
	_, _, err := a.calls.pool.login.LogIn(ctx)
	return a.root.on("", "log in", err)
}

// There returns fs.ErrNotExist, with the path, if the archive's root does not exist.
func (a *Archive) There(ctx context.Context) error {
	err := a.calls.again(ctx, "look", func(c *client) error {
		_, err := c.Stat(string(a.root))
		return err
	})
	return a.root.on("", "open", err)
}

// Has reports whether there is a file of this name.
func (a *Archive) Has(ctx context.Context, name string) (bool, error) {
	if err := archive.CheckName(name); err != nil {
		return false, err
	}
	err := a.calls.again(ctx, "look", func(c *client) error { return regular(c, a.root.path(name)) })
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, a.root.on(name, "look for", err)
}

// List implements archive.Archive.
func (a *Archive) List(ctx context.Context) ([]archive.File, error) {
	return a.ListWhere(ctx, func(string) bool { return true })
}

// ListWhere is List without the directories that want rejects, and what is below them.
func (a *Archive) ListWhere(ctx context.Context, want func(dir string) bool) ([]archive.File, error) {
	var files []archive.File
	err := a.calls.again(ctx, "list", func(c *client) error {
		files = nil
		err := a.root.list(ctx, c, "", want, &files)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // no root yet, or a directory that was removed
		}
		return err
	})
	if err != nil {
		return nil, a.root.on("", "list", err)
	}
	slices.SortFunc(files, func(x, y archive.File) int { return strings.Compare(x.Name, y.Name) })
	return files, nil
}

// list appends the files below dir.
func (r root) list(ctx context.Context, c *client, dir string, want func(dir string) bool, files *[]archive.File) error {
	infos, err := c.ReadDir(r.path(dir))
	if err != nil {
		return err
	}
	for _, info := range infos {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(dir, info.Name())
		switch {
		case archive.CheckName(name) != nil: // hidden, or not readable as an archive file
		case info.IsDir() && !want(name):
		case info.IsDir():
			if err := r.list(ctx, c, name, want, files); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		default:
			*files = append(*files, archive.File{Name: name, Bytes: info.Size()})
		}
	}
	return nil
}

// Remove implements archive.Archive.
func (a *Archive) Remove(ctx context.Context, name string) error {
	if err := archive.CheckName(name); err != nil {
		return err
	}
	err := a.calls.again(ctx, "remove "+name, func(c *client) error {
		if err := regular(c, a.root.path(name)); err != nil {
			return err
		}
		return c.Client.Remove(a.root.path(name))
	})
	return a.root.on(name, "remove", err)
}

// remove removes a file, and with it the lease on it, if they exist.
func remove(c *client, name string) error {
	if err := c.Client.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// regular returns nil if a file of this name exists.
func regular(c *client, name string) error {
	info, err := c.Stat(name)
	if err == nil && info.IsDir() {
		err = errDirectory
	}
	return err
}

// Retries returns the operations that are being retried, the oldest first.
func (a *Archive) Retries() []retry.State { return a.calls.retries.List() }

package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"sluice/archive"
	"sluice/retry"
)

const (
	firstWait = 200 * time.Millisecond
	maxWait   = 15 * time.Second
	// cleanupTime bounds the clean-up after ctx has ended; the next start's Sweep does the rest.
	cleanupTime = 5 * time.Second
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
	// retried until its context ends.
	Wait   time.Duration
	Logger *slog.Logger
}

// Archive implements archive.Archive in HDFS. A failing operation is retried until the context or
// Options.Wait ends, unless a retry cannot help. It is safe for concurrent use.
type Archive struct {
	root     string
	o        Options
	kerberos bool
	service  tokenService
	pool     *pool
	retries  *retry.Registry
	uploads  chan struct{}
	temp     *archive.TempNames // nil: for reading only
	waiting  func(context.Context, time.Duration) error
}

var _ archive.Archive = (*Archive)(nil)

// Open uses the directory root of a cluster as an archive. It does not connect to the cluster.
func Open(cluster Cluster, root string, o Options) (*Archive, error) {
	var temp *archive.TempNames
	if o.Owner != "" {
		var err error
		if temp, err = archive.NewTempNames(o.Owner); err != nil {
			return nil, fmt.Errorf("archive %s: %w", root, err)
		}
	}
	if o.Permissions == 0 {
		o.Permissions = 0o640
	}
	if o.Uploads == 0 {
		o.Uploads = 2
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Archive{
		root: path.Clean(root), o: o, kerberos: cluster.login != nil, service: cluster.service,
		pool: &pool{options: cluster.options, login: cluster.login, transfer: cluster.transfer, dialTCP: (&net.Dialer{}).DialContext,
			timeout: o.Timeout, now: time.Now, nameNodes: slices.Clone(cluster.options.Addresses), results: map[string]string{}},
		retries: &retry.Registry{Of: "hdfs", Now: time.Now, Log: o.Logger},
		uploads: make(chan struct{}, o.Uploads), temp: temp, waiting: retry.Sleep,
	}, nil
}

// Close closes the connections. No call may be running.
func (a *Archive) Close() error { return a.pool.close() }

// again calls call with a client, with the retries of retry.
func (a *Archive) again(ctx context.Context, what string, call func(*client) error) error {
	return a.retry(ctx, what, func(by time.Time) error { return a.pool.doBy(ctx, by, call) })
}

// retry calls attempt until it succeeds, its error is permanent, or ctx or Options.Wait ends. by is
// the time until which an attempt must have its connection.
func (a *Archive) retry(ctx context.Context, what string, attempt func(by time.Time) error) (err error) {
	waiter := new(int)
	defer func() {
		if err == nil {
			a.retries.Recovered(what, waiter)
		} else {
			a.retries.GiveUp(what, waiter)
		}
	}()
	began, attempts := time.Now(), 0
	backoff := retry.Backoff{First: firstWait, Max: maxWait}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := attempt(a.connectedBy(began))
		if err == nil {
			return nil
		}
		if ended := ctx.Err(); ended != nil {
			return fmt.Errorf("%w; the last attempt: %w", ended, err)
		}
		err = explain(err, a.kerberos)
		if permanent(err) {
			return err
		}
		attempts++
		pause := backoff.Next()
		if waited := time.Since(began); a.o.Wait > 0 && waited+pause >= a.o.Wait {
			return &UnreachableError{Waited: waited, Attempts: attempts, Err: err, NameNodes: a.pool.answers()}
		}
		a.retries.Failed(what, waiter, err)
		if ended := a.waiting(ctx, pause); ended != nil {
			return fmt.Errorf("%w; the last attempt: %w", ended, err)
		}
	}
}

// connectedBy returns the time until which an attempt must have its connection; zero is no limit.
// began is the first attempt's start. Each name node gets its share of Options.Wait.
func (a *Archive) connectedBy(began time.Time) time.Time {
	if a.o.Wait <= 0 {
		return time.Time{}
	}
	share := time.Now().Add(a.o.Wait / time.Duration(max(1, len(a.pool.options.Addresses))))
	if end := began.Add(a.o.Wait); end.Before(share) {
		return end
	}
	return share
}

// on adds the operation and the name to an error.
func (a *Archive) on(name, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("archive hdfs:%s: %s: %w", a.root, strings.TrimSuffix(what+" "+name, " "), err)
}

func (a *Archive) path(name string) string { return path.Join(a.root, name) }

func (a *Archive) tmpDir() string { return path.Join(a.root, archive.TmpDir) }

func (a *Archive) tmpName() string {
	return path.Join(a.tmpDir(), a.temp.Next())
}

// LogIn makes one attempt to get a ticket, if one is needed. The error is protection.ErrSettings if
// a retry cannot help.
func (a *Archive) LogIn(ctx context.Context) error {
	if a.pool.login == nil {
		return nil
	}
	_, _, err := a.pool.login.LogIn(ctx)
	return a.on("", "log in", err)
}

// There returns fs.ErrNotExist, with the path, if the archive's root does not exist.
func (a *Archive) There(ctx context.Context) error {
	err := a.again(ctx, "look", func(c *client) error {
		_, err := c.Stat(a.root)
		return err
	})
	return a.on("", "open", err)
}

// Has reports whether there is a file of this name.
func (a *Archive) Has(ctx context.Context, name string) (bool, error) {
	if err := archive.CheckName(name); err != nil {
		return false, err
	}
	err := a.again(ctx, "look", func(c *client) error { return regular(c, a.path(name)) })
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, a.on(name, "look for", err)
}

// List implements archive.Archive.
func (a *Archive) List(ctx context.Context) ([]archive.File, error) {
	return a.ListWhere(ctx, func(string) bool { return true })
}

// ListWhere is List without the directories that want rejects, and what is below them.
func (a *Archive) ListWhere(ctx context.Context, want func(dir string) bool) ([]archive.File, error) {
	var files []archive.File
	err := a.again(ctx, "list", func(c *client) error {
		files = nil
		err := a.list(ctx, c, "", want, &files)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // no root yet, or a directory that was removed
		}
		return err
	})
	if err != nil {
		return nil, a.on("", "list", err)
	}
	slices.SortFunc(files, func(x, y archive.File) int { return strings.Compare(x.Name, y.Name) })
	return files, nil
}

func (a *Archive) list(ctx context.Context, c *client, dir string, want func(dir string) bool, files *[]archive.File) error {
	infos, err := c.ReadDir(a.path(dir))
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
			if err := a.list(ctx, c, name, want, files); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
	err := a.again(ctx, "remove "+name, func(c *client) error {
		if err := regular(c, a.path(name)); err != nil {
			return err
		}
		return c.Client.Remove(a.path(name))
	})
	return a.on(name, "remove", err)
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

// mkdirAll creates dir and missing directories above it, with the attributes of the options.
func (a *Archive) mkdirAll(c *client, dir string) error {
	info, err := c.Stat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s: %w", dir, errNotDirectory)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := a.mkdirAll(c, path.Dir(dir)); err != nil {
		return err
	}
	err = c.Mkdir(dir, dirPermissions(a.o.Permissions))
	if errors.Is(err, fs.ErrExist) { // another upload created it
		return nil
	}
	if err != nil {
		return err
	}
	return a.chown(c, dir)
}

// dirPermissions adds the execute bit for each read bit, and write access for the owner.
func dirPermissions(file fs.FileMode) fs.FileMode { return file | 0o300 | file&0o444>>2 }

func (a *Archive) chown(c *client, name string) error {
	if a.o.User == "" && a.o.Group == "" {
		return nil
	}
	err := c.Chown(name, a.o.User, a.o.Group)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("give %s to %s:%s, which only HDFS's superuser may: %w", name, a.o.User, a.o.Group, err)
	}
	return err
}

// Retries returns the operations that are being retried, the oldest first.
func (a *Archive) Retries() []retry.State { return a.retries.List() }

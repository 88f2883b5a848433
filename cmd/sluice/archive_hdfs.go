package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"sluice/archive"
	"sluice/archive/localdir"
	"sluice/doctor"
	"sluice/hadoop/sasl"
	"sluice/hdfs"
	"sluice/hdfs/protection"
)

// archiveCloser is an archive that the command that opened it must close.
type archiveCloser interface {
	archive.Archive
	Close() error
}

// tree is a directory of dated files, the root of a path pattern: an archive or a columnar table.
type tree struct {
	flag, url string // that name it; the URL is empty for a directory, or hdfs://…
	pattern   archive.Pattern
}

// trees opens trees of dated files, in local directories and in HDFS.
type trees struct {
	ctx context.Context
	cli *cli
	log *slog.Logger
}

// localTree is an archive in a local directory, which needs no Close.
type localTree struct{ *localdir.Archive }

func (localTree) Close() error { return nil }

func isHDFS(url string) bool { return strings.HasPrefix(url, hdfs.Scheme) }

// openHDFS opens the directory root in the cluster of a URL, the value of flag. It makes no
// connection.
func (o *trees) openHDFS(flag, url, root string, options hdfs.Options) (*hdfs.Archive, error) {
	authority, _, err := hdfs.SplitURL(url)
	if err != nil {
		return nil, usage("%s %w", flag, err)
	}
	cluster, err := hdfs.Locate(authority)
	if err != nil {
		return nil, usage("%s %s: %w", flag, url, err)
	}
	if cluster.Kerberos != nil {
		login, err := sasl.New(o.cli.kerberosFlags.as(*cluster.Kerberos))
		if err != nil {
			return nil, usageError{err}
		}
		cluster = cluster.WithKerberos(login)
	}
	options.Logger = o.log
	opened, err := hdfs.Open(cluster, root, options)
	if err != nil {
		return nil, usageError{err}
	}
	return opened, nil
}

// openToWrite opens a tree in HDFS for the collector owner.
func (o *trees) openToWrite(f archiveFlags, t tree, owner string, wait time.Duration) (*hdfs.Archive, error) {
	options, err := f.options()
	if err != nil {
		return nil, err
	}
	options.Owner, options.Wait = owner, wait
	return o.openHDFS(t.flag, t.url, t.pattern.Root(), options)
}

// open opens a tree for the collector owner. It makes no connection to HDFS, but a log-in that can
// never succeed is an error. An unattended process retries HDFS without limit.
func (o *trees) open(f archiveFlags, t tree, owner string, unattended bool) (archiveCloser, error) {
	if isHDFS(t.url) {
		opened, err := o.openToWrite(f, t, owner, o.cli.retryLimit(unattended))
		if err != nil {
			return nil, err
		}
		if err := opened.LogIn(o.ctx); errors.Is(err, protection.ErrSettings) {
			return nil, usageError{errors.Join(err, opened.Close())}
		}
		return opened, nil // a KDC that is away may come back, as a name node may
	}
	if err := checkMounted(t.flag, t.pattern.Root()); err != nil {
		return nil, err
	}
	local, err := localdir.Open(t.pattern.Root(), owner)
	if err != nil {
		return nil, openError(err)
	}
	return localTree{local}, nil
}

// openArchive opens the archive for the collector owner.
func (o *trees) openArchive(f archiveFlags, pattern archive.Pattern, owner string, unattended bool) (archiveCloser, error) {
	return o.open(f, tree{"--archive", f.Archive, pattern}, owner, unattended)
}

// readArchive opens an existing archive for reading.
func (o *trees) readArchive(url string, pattern archive.Pattern) (archiveCloser, error) {
	return o.read(tree{"--archive", url, pattern})
}

// read opens an existing tree for reading.
func (o *trees) read(t tree) (archiveCloser, error) {
	if !isHDFS(t.url) {
		local, err := localdir.OpenToRead(t.pattern.Root())
		if err != nil {
			return nil, usage("%w: name another with %s or --data", err, t.flag)
		}
		return localTree{local}, nil
	}
	opened, err := o.openHDFS(t.flag, t.url, t.pattern.Root(), hdfs.Options{Wait: o.cli.retryLimit(false)})
	if err != nil {
		return nil, err
	}
	if err = opened.There(o.ctx); err != nil {
		err = errors.Join(err, opened.Close())
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = usage("%w: name another with %s", err, t.flag)
		case errors.Is(err, protection.ErrSettings):
			err = usageError{err}
		}
		return nil, err
	}
	return opened, nil
}

// checkHDFS runs the checks of sluice doctor for a tree in HDFS.
func (o *trees) checkHDFS(f archiveFlags, t tree) (part, error) {
	opened, err := o.openToWrite(f, t, "doctor", o.cli.retryLimit(false))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, r *doctor.Report) error {
		opened.Check(ctx, func(name string, do func() (string, error)) bool {
			return r.Step(strings.Replace(name, "archive:", strings.TrimPrefix(t.flag, "--")+":", 1), do)
		})
		return opened.Close()
	}, nil
}

package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	dfs "github.com/colinmarc/hdfs/v2"
)

const (
	// closePause is the time between two attempts to close a file while data nodes report its last
	// block; closeTries bounds them.
	closePause = 200 * time.Millisecond
	closeTries = 300
)

// creator creates files and directories with the attributes of the options. It is immutable.
type creator struct {
	permissions fs.FileMode // of files
	user, group string      // "": those of HDFS
	replication int         // 0: HDFS's
	blockBytes  int64       // 0: HDFS's
	sleep       func(context.Context, time.Duration) error
}

// create creates a file, which finish closes. blockBytes is the size of its blocks.
func (n *creator) create(c *client, name string) (w *dfs.FileWriter, blockBytes int64, err error) {
	replication, blockBytes, err := n.shape(c)
	if err != nil {
		return nil, 0, err
	}
	w, err = c.CreateFile(name, replication, blockBytes, n.permissions)
	return w, blockBytes, err
}

// empty creates an empty file.
func (n *creator) empty(ctx context.Context, c *client, name string) error {
	w, _, err := n.create(c, name)
	if err != nil {
		return err
	}
	return n.finish(ctx, w)
}

// finish closes the file. It retries only while the name node waits for data nodes: after another
// error a second Close may return nil although the file is incomplete.
func (n *creator) finish(ctx context.Context, dst *dfs.FileWriter) error {
	err := dst.Close()
	for range closeTries {
		if !dfs.IsErrReplicating(err) {
			return err
		}
		if err := n.sleep(ctx, closePause); err != nil {
			return err
		}
		err = dst.Close()
	}
	return err
}

// shape returns replication and block size of a new file.
func (n *creator) shape(c *client) (replication int, blockBytes int64, err error) {
	if replication, blockBytes = n.replication, n.blockBytes; replication > 0 && blockBytes > 0 {
		return replication, blockBytes, nil
	}
	defaults, err := c.ServerDefaults()
	if err != nil {
		return 0, 0, err
	}
	if replication == 0 {
		replication = defaults.Replication
	}
	if blockBytes == 0 {
		blockBytes = defaults.BlockSize
	}
	return replication, blockBytes, nil
}

// mkdirAll creates dir and missing directories above it, with the attributes of the options.
func (n *creator) mkdirAll(c *client, dir string) error {
	info, err := c.Stat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s: %w", dir, errNotDirectory)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := n.mkdirAll(c, path.Dir(dir)); err != nil {
		return err
	}
	err = c.Mkdir(dir, dirPermissions(n.permissions))
	if errors.Is(err, fs.ErrExist) { // another upload created it
		return nil
	}
	if err != nil {
		return err
	}
	return n.chown(c, dir)
}

// dirPermissions adds the execute bit for each read bit, and write access for the owner.
func dirPermissions(file fs.FileMode) fs.FileMode { return file | 0o300 | file&0o444>>2 }

func (n *creator) chown(c *client, name string) error {
	if n.user == "" && n.group == "" {
		return nil
	}
	err := c.Chown(name, n.user, n.group)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("give %s to %s:%s, which only HDFS's superuser may: %w", name, n.user, n.group, err)
	}
	return err
}

package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"sluice/hadoop/sasl"
)

// Check runs the steps of a check through step, which reports whether a step succeeded. Each step
// is tried once. It writes a temporary file in _tmp and removes it, with the directories that it
// had to create: if root runs the check, the user that stores could not write into them.
func (a *Archive) Check(ctx context.Context, step func(name string, do func() (found string, err error)) bool) {
	one := func(name string, do func(c *client) (string, error)) bool {
		return step("archive: "+name, func() (found string, err error) {
			err = a.calls.once(ctx, func(c *client) error {
				found, err = do(c)
				return err
			})
			if err != nil {
				err = fmt.Errorf("%w (name nodes: %s)", err, a.calls.pool.answers())
			}
			return found, err
		})
	}
	login := a.calls.pool.login
	if login != nil && !step("archive: kerberos", func() (string, error) { return checkLogIn(ctx, login) }) {
		return
	}
	if !one("name node", checkNameNode) {
		return
	}
	one("free space", checkSpace)
	one("write, compare, delete", func(c *client) (string, error) { return a.uploads.check(ctx, c) })
}

func checkLogIn(ctx context.Context, login *sasl.Kerberos) (string, error) {
	who, until, err := login.LogIn(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("a ticket for %s until %s", who, until.Local().Format(time.DateTime)), nil
}

// checkNameNode returns the active name node.
func checkNameNode(c *client) (string, error) {
	defaults, err := c.ServerDefaults()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is active, logged in as %s; %d copies, blocks of %d MiB", c.lastNameNode(), c.User(), defaults.Replication, defaults.BlockSize>>20), nil
}

func checkSpace(c *client) (string, error) {
	info, err := c.StatFs()
	if err != nil {
		return "", err
	}
	if info.Remaining == 0 {
		return "", fmt.Errorf("no space is left of %d GiB, or no data node is running", info.Capacity>>30)
	}
	return fmt.Sprintf("%d of %d GiB", info.Remaining>>30, info.Capacity>>30), nil
}

// check uploads a line as Store does, and removes it.
func (u *uploader) check(ctx context.Context, c *client) (found string, err error) {
	f, err := os.CreateTemp("", "sluice-check-")
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close(); _ = os.Remove(f.Name()) }()
	const text = "sluice doctor was here"
	if _, err := f.WriteString(text); err != nil {
		return "", err
	}
	dirs := missing(c, u.temp.dir)
	defer func() {
		for _, dir := range dirs {
			_ = remove(c, dir) // fails if it is no longer empty
		}
	}()
	if err := u.creator.mkdirAll(c, u.temp.dir); err != nil {
		return "", err
	}
	tmp := u.temp.next()
	if err := u.upload(ctx, c, source{File: f, bytes: int64(len(text))}, tmp); err != nil {
		u.temp.discard(ctx, tmp)
		return "", err
	}
	info, err := c.Stat(tmp)
	if err != nil {
		return "", err
	}
	if err := remove(c, tmp); err != nil {
		return "", err
	}
	off := time.Until(info.ModTime()).Round(100 * time.Millisecond)
	return fmt.Sprintf("in %s; the name node's clock and ours differ by %s", path.Dir(tmp), off.Abs()), nil
}

// missing returns dir and its parents as far as they do not exist, the deepest first.
func missing(c *client, dir string) (dirs []string) {
	for ; dir != "/"; dir = path.Dir(dir) {
		if _, err := c.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	osuser "os/user"
	"strconv"
	"syscall"
)

// privateUmask removes all permissions of others and the write permission of the group, because
// access logs are personal data.
const privateUmask = 0o027

// restrictUmask restricts new files of this process to 0640 and new directories to 0750. A stricter
// umask is kept.
func restrictUmask() {
	syscall.Umask(syscall.Umask(privateUmask) | privateUmask)
}

// checkPrivate returns an error if another user can change the content of dir: with a prepared
// symbolic link or file, they could choose what is overwritten or trusted. A directory that does
// not exist is accepted.
func checkPrivate(flag, dir string) error {
	// A symbolic link is checked as well as its target, because its owner can change the target.
	for _, stat := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
		info, err := stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return openError(fmt.Errorf("%s: %w", flag, err))
		}
		sys, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("%s %s: the file system does not report an owner", flag, dir)
		}
		if owner := int(sys.Uid); owner != os.Geteuid() && owner != 0 {
			name := userName(owner)
			return usage("%s %s belongs to user %s, who could change what sluice stores there\nhint: run sluice as that user (sudo -u %s sluice …), or change the directory's owner", flag, dir, name, name)
		}
		if info.IsDir() && info.Mode().Perm()&0o002 != 0 {
			return usage("%s %s can be written by every user\nhint: chmod o-w %s, or use a directory of its own below it", flag, dir, dir)
		}
	}
	return nil
}

// narrow removes all permissions of others on a directory, and the write permission of the group.
// Tables from before restrictUmask have mode 0755. A directory that does not exist is accepted.
func narrow(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().Perm()&privateUmask != 0 {
		err = os.Chmod(dir, info.Mode().Perm()&^privateUmask)
	}
	if err != nil {
		return fmt.Errorf("restrict the permissions of %s: %w", dir, err)
	}
	return nil
}

// userName returns the user's name, or the number if it has no name.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := osuser.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

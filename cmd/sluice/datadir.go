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

// privateUmask takes all rights from others, and writing from the group: what sluice
// stores are access logs, which are personal data.
const privateUmask = 0o027

// restrictUmask lets no file of this process be wider than 0640 and no directory
// wider than 0750. A stricter umask stays.
func restrictUmask() {
	syscall.Umask(syscall.Umask(privateUmask) | privateUmask)
}

// checkPrivate returns an error if another user can change what is in dir: with a
// prepared symbolic link or file they would choose what is overwritten or believed.
// A directory that does not exist is accepted.
func checkPrivate(flag, dir string) error {
	// The link's owner chooses where it leads, so the link is checked, too.
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
			return fmt.Errorf("%s %s: the file system names no owner", flag, dir)
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

// narrow takes all rights on a directory from others, and writing from the group. A
// table made before sluice set its umask was 0755.
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

// userName returns the user's name, or the number if it has none.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := osuser.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

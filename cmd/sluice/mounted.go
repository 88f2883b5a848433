package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// errNotMounted is returned for a directory of a file system that is not mounted: what is written
// there would be on another disk, and hidden once it is mounted.
var errNotMounted = errors.New("not mounted")

// checkMounted returns errNotMounted if /etc/fstab names a mount point that dir is below, and
// nothing is mounted there. dir need not exist.
func checkMounted(flag, dir string) error {
	dir, err := resolved(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	wanted, err := os.ReadFile("/etc/fstab")
	if err != nil {
		return nil //nolint:nilerr // without the list nothing is known to be missing
	}
	mounted, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("%s: read which file systems are mounted: %w", flag, err)
	}
	if point := missingMount(dir, string(wanted), string(mounted)); point != "" {
		return fmt.Errorf("%s %s: %s is in /etc/fstab and %w", flag, dir, point, errNotMounted)
	}
	return nil
}

// missingMount returns the mount point of fstab that dir is below and mountinfo lacks; "": none.
func missingMount(dir, fstab, mountinfo string) string {
	const fstabTarget, mountinfoTarget = 1, 4
	present := mountPoints(mountinfo, mountinfoTarget)
	for _, point := range mountPoints(fstab, fstabTarget) {
		below := dir == point || strings.HasPrefix(dir, point+"/")
		if below && point != "/" && !slices.Contains(present, point) {
			return point
		}
	}
	return ""
}

// mountPoints are the absolute paths in a column of fstab or mountinfo.
func mountPoints(table string, column int) (points []string) {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) > column && !strings.HasPrefix(fields[0], "#") && strings.HasPrefix(fields[column], "/") {
			points = append(points, filepath.Clean(unescape.Replace(fields[column])))
		}
	}
	return points
}

// resolved is the absolute path of dir without symbolic links, as far as it exists. A link to
// nothing is errNotMounted: what it leads to is most likely on a disk that is away.
func resolved(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	missing := ""
	for {
		path, err := filepath.EvalSymlinks(dir)
		if err == nil {
			return filepath.Join(path, missing), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if _, err := os.Lstat(dir); err == nil {
			return "", fmt.Errorf("%s is a symbolic link to a path that does not exist: %w", dir, errNotMounted)
		}
		dir, missing = filepath.Dir(dir), filepath.Join(filepath.Base(dir), missing)
	}
}

// mayPass reports whether an error of opening a file or a directory can end without a change of
// the configuration: a disk is full, read-only, away, or fails for now.
func mayPass(err error) bool {
	if diskFull(err) || errors.Is(err, errNotMounted) || errors.Is(err, syscall.EROFS) {
		return true
	}
	var path *fs.PathError
	var link *os.LinkError
	if !errors.As(err, &path) && !errors.As(err, &link) { // a server's time-out is no disk's
		return false
	}
	return slices.ContainsFunc([]syscall.Errno{syscall.EIO, syscall.ESTALE, syscall.ENOTCONN, syscall.ETIMEDOUT, syscall.EHOSTDOWN}, func(e syscall.Errno) bool { return errors.Is(err, e) })
}

// hintPassing is what an operator can do about an error that mayPass; "": another one.
func hintPassing(err error) string {
	switch {
	case diskFull(err):
		return hintFull
	case errors.Is(err, errNotMounted):
		return "mount it and start again (mount -a; findmnt shows what is mounted), or give another directory"
	case errors.Is(err, syscall.EROFS):
		return "the kernel makes a file system read-only after errors of its disk (dmesg shows them): mend it, mount it for writing and start again, or give another directory"
	case mayPass(err):
		return "check the disk or the file server that the directory is on (dmesg, findmnt) and start again; nothing is lost, it goes on from there"
	}
	return ""
}

// denied adds to an error of permissions on a directory who may write to it, and what to do.
func denied(err error) error {
	var at *fs.PathError
	if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &at) {
		return err
	}
	dir := at.Path
	info, statErr := os.Stat(dir)
	for errors.Is(statErr, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		info, statErr = os.Stat(dir)
	}
	owner := ""
	if statErr == nil {
		if sys, ok := info.Sys().(*syscall.Stat_t); ok {
			owner = fmt.Sprintf(" %s belongs to %s, mode %04o;", dir, userName(int(sys.Uid)), info.Mode().Perm())
		}
	}
	me := userName(os.Geteuid())
	return fmt.Errorf("%w\nhint:%s sluice runs as %s: give it the directory (chown %s), run sluice as its owner, or give another directory", err, owner, me, me)
}

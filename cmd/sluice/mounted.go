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

// errNotMounted is returned for a directory on a file system that is not mounted. Data written
// there would be on another disk, and hidden when the file system is mounted.
var errNotMounted = errors.New("not mounted")

// checkMounted returns errNotMounted if dir is below a mount point of /etc/fstab at which nothing
// is mounted. dir need not exist.
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

// missingMount returns the mount point of fstab that dir is below and that mountinfo lacks. "":
// none.
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

// mountPoints returns the absolute paths in a column, counted from 0, of fstab or mountinfo.
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

// resolved returns the absolute path of dir with symbolic links resolved as far as the path exists.
// It returns errNotMounted for a symbolic link to a path that does not exist, because its target is
// most likely on a disk that is not mounted.
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

// mayPass reports whether an error of opening a file or directory can end without a change of the
// configuration: a disk that is full, read-only, not available or temporarily failing.
func mayPass(err error) bool {
	if diskFull(err) || errors.Is(err, errNotMounted) || errors.Is(err, syscall.EROFS) {
		return true
	}
	var path *fs.PathError
	var link *os.LinkError
	if !errors.As(err, &path) && !errors.As(err, &link) { // ETIMEDOUT of a server is not a disk error
		return false
	}
	return slices.ContainsFunc([]syscall.Errno{syscall.EIO, syscall.ESTALE, syscall.ENOTCONN, syscall.ETIMEDOUT, syscall.EHOSTDOWN}, func(e syscall.Errno) bool { return errors.Is(err, e) })
}

// hintPassing returns the hint for an error for which mayPass is true. "": for other errors.
func hintPassing(err error) string {
	switch {
	case diskFull(err):
		return hintFull
	case errors.Is(err, errNotMounted):
		return "mount it and start again (mount -a; findmnt shows what is mounted), or give another directory"
	case errors.Is(err, syscall.EROFS):
		return "the kernel makes a file system read-only after errors of its disk (dmesg shows them): repair it, mount it for writing and start again, or give another directory"
	case mayPass(err):
		return "check the disk or the file server that the directory is on (dmesg, findmnt) and start again; nothing is lost, sluice continues from there"
	}
	return ""
}

// denied adds to a permission error on a directory the directory's owner and mode and a hint. Other
// errors are returned unchanged.
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

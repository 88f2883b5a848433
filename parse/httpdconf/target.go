package httpdconf

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is the kernel's limit of symbolic links.
const maxLinks = 40

// notALogFile returns why the file at an absolute path cannot be read as a log: a device, a
// descriptor of httpd's process, a pipe. It returns "" for a file, also for one that does not exist
// yet.
//
// local means that httpd runs on this host. Links are then followed by name and not opened:
// /dev/stdout, to which container images link their logs, would be that of this process.
func notALogFile(path string, local bool) string {
	for range maxLinks {
		if why := special(path); why != "" || !local {
			return why
		}
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = filepath.Clean(target)
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		if why := special(filepath.Join(dir, filepath.Base(path))); why != "" {
			return why
		}
	}
	info, err := os.Stat(path)
	if err != nil { // created when httpd starts; a missing one is reported when it is read
		return ""
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return path + " is a directory, not a log file"
	case mode&fs.ModeNamedPipe != 0:
		return path + " is a named pipe, whose lines one reader gets; write a file, or a |command, instead"
	default:
		return path + " is a device or socket, not a log file"
	}
}

// special returns why a path is not a log file on any host.
func special(path string) string {
	switch {
	case strings.HasPrefix(path, "/dev/shm/"):
		return ""
	case path == "/dev/stdout", path == "/dev/stderr", strings.HasPrefix(path, "/dev/fd/"):
		return path + " is what httpd was started with, which its supervisor or container keeps; write a file to have a log"
	case strings.HasPrefix(path, "/dev/"):
		return path + " is a device, not a log file"
	case strings.HasPrefix(path, "/proc/"):
		return path + " is of a process, not a log file; write a file to have a log"
	}
	return ""
}

// undefinedVariable reports whether a path still has a ${NAME}.
func undefinedVariable(path string) bool {
	_, rest, ok := strings.Cut(path, "${")
	return ok && strings.Contains(rest, "}")
}

// isProvider reports whether a target names a log of the system.
func isProvider(target string) bool {
	provider, _, _ := strings.Cut(target, ":")
	return provider == "syslog" || provider == "journald"
}

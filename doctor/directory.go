package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// minFreeBytes is the free space below which a directory is reported as nearly full.
const minFreeBytes = 1 << 30

// Directory checks a directory that is written to, or will be created: a file is created in it,
// synced, read and removed.
func Directory(r *Report, name, dir string) {
	where := ""
	if !r.Step(name, func() (string, error) {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", err
		}
		if where, err = existing(abs); err != nil {
			return "", err
		}
		if where != abs {
			return fmt.Sprintf("%s does not exist; it will be created in %s", dir, where), nil
		}
		return dir + " is there", nil
	}) {
		r.Skip(name+": write", "there is no directory to write to")
		return
	}
	r.Step(name+": write", func() (string, error) {
		if err := tryFile(where); err != nil {
			return "", err
		}
		return "a file was written, brought to disk (fsync), read and removed", nil
	})
	r.Step(name+": space", func() (string, error) { return space(where) })
}

// existing returns dir, an absolute path, or the nearest existing directory above it.
func existing(dir string) (string, error) {
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return "", fmt.Errorf("%s is not a directory: give another one", dir)
		case err == nil:
			return dir, nil
		case !errors.Is(err, os.ErrNotExist):
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}

// tryFile creates, syncs, reads and removes a file.
func tryFile(dir string) (err error) {
	f, err := os.CreateTemp(dir, ".sluice-doctor-")
	if err != nil {
		return fmt.Errorf("%w: this user must be able to create files in it", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	const text = "a line of the doctor's\n"
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("a written file cannot be synced to disk: %w", err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		return err
	}
	if string(b) != text {
		return fmt.Errorf("%s has other bytes than were written to it", f.Name())
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	// A file system without fsync of directories returns EINVAL; the file's content is durable.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return errors.Join(fmt.Errorf("cannot sync the directory: %w", err), d.Close())
	}
	return d.Close()
}

func space(dir string) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return "", fmt.Errorf("statfs %s: %w", dir, err)
	}
	free := s.Bavail * uint64(s.Bsize)
	text := fmt.Sprintf("%.1f GB of %.1f GB are free", float64(free)/1e9, float64(s.Blocks*uint64(s.Bsize))/1e9)
	if free < minFreeBytes {
		return "", fmt.Errorf("%s: free space, or give another directory", text)
	}
	return text, nil
}

package localdir

import (
	"fmt"
	"os"
	"path/filepath"
)

// OpenToRead uses the existing directory root as an archive for reading only. Nothing in it is
// changed, so it may be on a read-only file system.
func OpenToRead(root string) (*Archive, error) {
	info, err := os.Stat(root)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", root)
	}
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return &Archive{root: filepath.Clean(root), link: os.Link}, nil
}

package localdir

import (
	"fmt"
	"os"
	"path/filepath"
)

// OpenToRead uses the folder root as an archive to be read only: it must be there,
// and nothing in it is changed. It may be read-only itself.
func OpenToRead(root string) (*Archive, error) {
	info, err := os.Stat(root)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", root)
	}
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return &Archive{root: filepath.Clean(root), link: os.Link}, nil
}

package localdir_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sluice/archive/localdir"
)

// A file is stored in an archive, found and read.
func Example() {
	dir, err := os.MkdirTemp("", "archive")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	local := filepath.Join(dir, "20260903-1.gz")
	if err := os.WriteFile(local, []byte("a sealed segment"), 0o600); err != nil {
		panic(err)
	}

	ctx := context.Background()
	a, err := localdir.Open(filepath.Join(dir, "archive"), "collector1")
	if err != nil {
		panic(err)
	}
	if err := a.Store(ctx, local, "2026/09/03/web01/20260903-1.gz"); err != nil { // the same file again is no error
		panic(err)
	}
	files, err := a.List(ctx)
	if err != nil {
		panic(err)
	}
	for _, f := range files {
		r, err := a.Open(ctx, f.Name)
		if err != nil {
			panic(err)
		}
		content, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %s\n", f.Name, content)
		if err := r.Close(); err != nil {
			panic(err)
		}
	}
	// Output: 2026/09/03/web01/20260903-1.gz: a sealed segment
}

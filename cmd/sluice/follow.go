package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/nxadm/tail"
)

// follow calls each for every line of a file as it grows, until ctx is done. It
// is for looking on: nxadm/tail can lose lines at a rotation (docs/dependencies.md),
// so nothing that is stored comes this way.
func follow(ctx context.Context, path string, each func(line []byte, offset int64) error) error {
	t, err := tail.TailFile(path, tail.Config{
		Follow: true, ReOpen: true, MustExist: true, Logger: tail.DiscardingLogger,
		Location: &tail.SeekInfo{Whence: io.SeekStart},
	})
	if err != nil {
		return fmt.Errorf("follow %s: %w", path, err)
	}
	defer t.Cleanup()
	var offset int64
	for {
		select {
		case <-ctx.Done():
			return t.Stop()
		case line, ok := <-t.Lines:
			if !ok {
				return errors.Join(t.Err(), fmt.Errorf("follow %s: it cannot be read any longer", path))
			}
			if line.Err != nil {
				return fmt.Errorf("follow %s: %w", path, line.Err)
			}
			if err := each([]byte(line.Text), offset); err != nil {
				return errors.Join(err, t.Stop())
			}
			offset = line.SeekInfo.Offset
		}
	}
}

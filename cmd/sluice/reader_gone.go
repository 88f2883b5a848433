package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// awaitReaderGone returns errReaderGone when the reader of a pipe or socket w has closed it, even
// if nothing is written. It returns nil when ctx is done, or at once if w is not a pipe or socket.
func awaitReaderGone(ctx context.Context, w io.Writer) error {
	out, ok := w.(*os.File)
	if !ok {
		return nil
	}
	info, err := out.Stat()
	if err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) == 0 {
		return nil //nolint:nilerr // the first write reports it
	}
	wake, end, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("watch standard output: %w", err)
	}
	defer wake.Close()
	defer end.Close()                                      //nolint:errcheck // nothing is written to it
	defer context.AfterFunc(ctx, func() { end.Close() })() //nolint:errcheck // nothing is written to it
	fds := []unix.PollFd{{Fd: int32(out.Fd())}, {Fd: int32(wake.Fd())}}
	for {
		// No event is requested: the kernel reports an error or a hang-up in any case.
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("watch standard output: %w", err)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case fds[0].Revents != 0:
			return errReaderGone
		}
	}
}

// outputClosed reports whether err is the failure of writing to standard output after its reader
// closed it. EPIPE of another file or of a network connection is not.
func (a *app) outputClosed(err error) bool {
	out, ok := a.stdout.(*os.File)
	var failed *fs.PathError
	return ok && errors.Is(err, syscall.EPIPE) && errors.As(err, &failed) && failed.Op == "write" && failed.Path == out.Name()
}

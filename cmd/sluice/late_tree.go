package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice/archive"
	"sluice/retry"
)

// retried is an archive that lists the operations that it is retrying.
type retried interface{ Retries() []retry.State }

// lateTree is an archive in a local directory that could not be opened yet because its disk is
// read-only, full or not available. It is opened in the background. Until then its methods return
// the error of the last attempt, so that a collector that retries keeps the lines in its spool. Its
// methods are safe for concurrent use.
type lateTree struct {
	retries retry.Registry
	end     context.CancelFunc
	done    chan struct{}

	mu    sync.Mutex
	files archiveCloser // nil: not opened yet
	err   error         // of the last attempt
}

// openOrLate calls open. If retryFailures is true and open fails with an error that may pass, it
// returns a lateTree instead of the error.
func (a *app) openOrLate(retryFailures bool, open func() (archiveCloser, error)) (archiveCloser, error) {
	files, err := open()
	if err == nil || !retryFailures || !mayPass(err) {
		return files, err
	}
	ctx, end := context.WithCancel(context.WithoutCancel(a.ctx))
	t := &lateTree{retries: retry.Registry{Now: time.Now, Log: a.log}, end: end, done: make(chan struct{}), err: err}
	go func() {
		defer close(t.done)
		t.open(ctx, open)
	}()
	return t, nil
}

// open calls open, with growing pauses, until the archive is open and swept or ctx is done.
func (t *lateTree) open(ctx context.Context, open func() (archiveCloser, error)) {
	const what = "open"
	t.retries.Failed(what, nil, t.err)
	for pause := (retry.Backoff{First: firstStartPause, Max: maxStartPause}); pause.Wait(ctx) == nil; {
		files, err := open()
		if err == nil {
			if err = files.Sweep(ctx); err != nil {
				err = errors.Join(err, files.Close())
			}
		}
		t.mu.Lock()
		t.err = err
		if err == nil {
			t.files = files
		}
		t.mu.Unlock()
		if err == nil {
			t.retries.Recovered(what, nil)
			return
		}
		t.retries.Failed(what, nil, err)
	}
}

// opened returns the archive, or the error of the last attempt to open it.
func (t *lateTree) opened() (archiveCloser, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.files == nil {
		return nil, t.err
	}
	return t.files, nil
}

// Retries returns the attempt to open the directory while it fails.
func (t *lateTree) Retries() []retry.State { return t.retries.List() }

// Close ends the attempts, and closes the archive if it was opened.
func (t *lateTree) Close() error {
	t.end()
	<-t.done
	if files, err := t.opened(); err == nil {
		return files.Close()
	}
	return nil
}

// Sweep implements archive.Archive. It does nothing until the directory is open, because open
// sweeps it.
func (t *lateTree) Sweep(ctx context.Context) error {
	files, err := t.opened()
	if err != nil {
		return nil //nolint:nilerr // it is swept when it is opened
	}
	return files.Sweep(ctx)
}

// do calls f with the archive. If the archive is not open, it returns the error of the last
// attempt.
func (t *lateTree) do(f func(archiveCloser) error) error {
	files, err := t.opened()
	if err != nil {
		return err
	}
	return f(files)
}

// Store implements archive.Archive.
func (t *lateTree) Store(ctx context.Context, localPath, name string) error {
	return t.do(func(files archiveCloser) error { return files.Store(ctx, localPath, name) })
}

// Replace implements archive.Archive.
func (t *lateTree) Replace(ctx context.Context, localPath, name string) error {
	return t.do(func(files archiveCloser) error { return files.Replace(ctx, localPath, name) })
}

// Remove implements archive.Archive.
func (t *lateTree) Remove(ctx context.Context, name string) error {
	return t.do(func(files archiveCloser) error { return files.Remove(ctx, name) })
}

// Mark implements archive.Archive.
func (t *lateTree) Mark(ctx context.Context, dir string) error {
	return t.do(func(files archiveCloser) error { return files.Mark(ctx, dir) })
}

// List implements archive.Archive.
func (t *lateTree) List(ctx context.Context) ([]archive.File, error) {
	files, err := t.opened()
	if err != nil {
		return nil, err
	}
	return files.List(ctx)
}

// Open implements archive.Archive.
func (t *lateTree) Open(ctx context.Context, name string) (archive.Reader, error) {
	files, err := t.opened()
	if err != nil {
		return nil, err
	}
	return files.Open(ctx, name)
}

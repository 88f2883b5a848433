package fleet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"
)

// open creates the file of a new life.
func (f *Fleet) open(l *file, life int) error {
	w, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	l.current = generation{w, f.born(l, life)}
	return nil
}

func (f *Fleet) born(l *file, life int) *Life {
	b := &Life{File: l.number, Life: life}
	f.ledger.Lives = append(f.ledger.Lives, b)
	return b
}

// rotateDue rotates the files that are due, and closes the renamed ones that are no longer written
// to.
func (f *Fleet) rotateDue(now time.Time) error {
	for _, l := range f.busy() {
		if l.late.f != nil && !now.Before(l.lateEnd) {
			if err := l.late.close(); err != nil {
				return err
			}
		}
		if now.Before(l.next) {
			continue
		}
		for !now.Before(l.next) {
			l.next = l.next.Add(f.c.RotateEvery)
		}
		if l.current.life.Lines == 0 { // logrotate's notifempty
			continue
		}
		if err := f.rotate(l, now); err != nil {
			return fmt.Errorf("rotate %s: %w", l.path, err)
		}
		f.rotated++
	}
	return nil
}

func (f *Fleet) rotate(l *file, now time.Time) error {
	life := l.current.life.Life + 1
	if life >= maxLives {
		return fmt.Errorf("more than %d rotations", maxLives)
	}
	if err := l.late.close(); err != nil {
		return err
	}
	if err := f.shift(l); err != nil {
		return err
	}
	if f.c.Rotation == CopyTruncate {
		return f.copyTruncate(l, life)
	}
	if err := os.Rename(l.path, l.generationPath(1)); err != nil {
		return err
	}
	l.late, l.lateEnd = l.current, now.Add(f.c.LateFor)
	if f.c.LateFor == 0 {
		if err := l.late.close(); err != nil {
			return err
		}
	}
	return f.open(l, life)
}

// generationPath returns the path of rotated file n, as logrotate names it.
func (l *file) generationPath(n int) string { return l.path + "." + strconv.Itoa(n) }

// shift deletes the oldest rotated file and renames the others, so that n = 1 is free.
func (f *Fleet) shift(l *file) error {
	if err := os.Remove(l.generationPath(f.c.Keep)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for n := f.c.Keep - 1; n >= 1; n-- {
		if err := os.Rename(l.generationPath(n), l.generationPath(n+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (f *Fleet) copyTruncate(l *file, life int) (err error) {
	from, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := os.OpenFile(l.generationPath(1), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	n, err := io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	if old := l.current.life; n != old.Bytes {
		return fmt.Errorf("%d bytes copied of %d", n, old.Bytes)
	}
	l.current.life.TruncatedBytes = n
	if err := l.current.f.Truncate(0); err != nil {
		return err
	}
	l.current.life = f.born(l, life)
	return nil
}

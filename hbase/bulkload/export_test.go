package bulkload

import (
	"context"
	"errors"
)

// Abandon ends a loader as a kill does: its staging directory stays.
func Abandon(l *Loader) error {
	s := l.session.staging
	l.session = nil
	if err := l.Close(); err != nil {
		return err
	}
	return s.Close()
}

// LoadStaged loads the file that is staged as name, and whose copy is at localPath, as another client
// would.
func LoadStaged(ctx context.Context, l *Loader, localPath, name string) error {
	for row, err := range l.rows(&localFile{path: localPath}) {
		if err != nil {
			return err
		}
		r, err := l.locate(ctx, row.key)
		if err != nil {
			return err
		}
		s := l.session
		response, err := l.call(ctx, r, methodLoad, loadRequest(s.token, s.family, s.token+"/"+name, r, nil))
		if err != nil {
			return err
		}
		defer response.Release()
		if ok, err := parseLoaded(response.Message); err != nil || !ok {
			return errors.Join(err, errors.New("not loaded"))
		}
		return nil
	}
	return errors.New("an empty file")
}

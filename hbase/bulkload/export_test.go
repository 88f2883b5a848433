package bulkload

import (
	"context"
	"errors"
)

// Uploads is the number of files that are loaded at a time.
const Uploads = uploads

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
	for row, err := range l.local.rows(ctx, &localFile{path: localPath}) {
		if err != nil {
			return err
		}
		r, err := l.servers.locate(ctx, row.key)
		if err != nil {
			return err
		}
		s := l.session
		response, err := l.servers.call(ctx, r, methodLoad, loadRequest(s.token, s.family, s.token+"/"+name, r, nil))
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

// SetLimits replaces the numbers of a region's files from which a further one is not left out of
// compactions, and from which rows go to Put.
func SetLimits(l *Loader, excluded, most int) { l.limits = fileLimits{excluded, most} }

// CountFiles returns the number of files of the region with the key.
func CountFiles(ctx context.Context, l *Loader, key []byte) (int, error) {
	r, err := l.servers.locate(ctx, key)
	if err != nil {
		return 0, err
	}
	n, ok := l.servers.storeFiles(ctx, r)
	if !ok {
		return 0, errors.New("the number of files is not known")
	}
	return n, nil
}

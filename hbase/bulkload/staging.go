package bulkload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strings"

	"sluice/hbase/region"
)

// Staging is a directory in HBase's file system, to which files are uploaded. Names are relative to
// it. Its methods are called concurrently.
type Staging interface {
	// Store copies the local file to name, and verifies it. Storing the same bytes again succeeds.
	Store(ctx context.Context, localPath, name string) error
	// Has reports whether there is a file of this name.
	Has(ctx context.Context, name string) (bool, error)
	// Token returns a delegation token for the region servers; nil in a cluster without Kerberos.
	Token(ctx context.Context) (*DelegationToken, error)
	Close() error
}

// session is a staging directory of this process.
type session struct {
	token   string // the directory's URI
	family  string
	staging Staging
}

// stagedName is the name of a file in the staging directory. The server itself would move the file
// to this name before it takes it. As it is there already, the server moves nothing, needs no right
// on any other directory, and there is one place at which the file can be.
func (s *session) stagedName(name string) string { return path.Join(s.family, name) }

// uri is the full name of a staged file.
func (s *session) uri(name string) string {
	return strings.TrimSuffix(s.token, "/") + "/" + s.stagedName(name)
}

// directories requests and removes staging directories.
type directories struct {
	servers *servers
	records records
	family  string
	open    func(uri string) (Staging, error)
	logger  *slog.Logger
}

// prepare asks for a staging directory, records it for the next process, and opens it.
func (d *directories) prepare(ctx context.Context) (*session, error) {
	message, err := d.servers.callAny(ctx, methodPrepare, func(r *region.Region) []byte { return prepareRequest(d.records.table, r) })
	if err != nil {
		return nil, err
	}
	token, err := parsePrepared(message)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(token, "/") {
		return nil, fmt.Errorf("the staging directory's name is %.200q", token)
	}
	if err := d.records.save(token); err != nil { // a full disk
		return nil, errors.Join(err, d.remove(ctx, token))
	}
	staging, err := d.open(token)
	if err != nil {
		err = fmt.Errorf("staging directory %s: %w", token, err)
		return nil, errors.Join(err, d.remove(ctx, token))
	}
	return &session{token: token, family: d.family, staging: staging}, nil
}

// remove removes a staging directory and the record of it.
func (d *directories) remove(ctx context.Context, token string) error {
	_, err := d.servers.callAny(ctx, methodCleanup, func(r *region.Region) []byte { return cleanupRequest(token, r) })
	if err != nil {
		return fmt.Errorf("remove the staging directory %s: %w", token, err)
	}
	return d.records.remove(token)
}

// sweep removes the staging directories that earlier processes left for this table. Those that cannot
// be removed stay recorded, and are only logged.
func (d *directories) sweep(ctx context.Context) error {
	all, err := d.records.all()
	if err != nil {
		return err
	}
	for _, r := range all {
		switch {
		case r.err != nil:
			err = r.err // it stays, as its directory may exist
		case r.Token == "": // torn by a crash: nothing was staged yet
			err = os.Remove(r.path)
		case r.Table != d.records.table:
			continue // that table's next process removes it
		default:
			err = d.remove(ctx, r.Token)
		}
		if err != nil && ctx.Err() == nil {
			d.logger.Warn("cannot remove the staging directory of an earlier process, will retry at the next start", "path", r.path, "err", err)
		}
	}
	return ctx.Err()
}

// close removes a session's directory, whatever has become of the caller's context.
func (d *directories) close(s *session) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := d.remove(ctx, s.token); err != nil {
		d.logger.Warn("cannot remove the staging directory, will retry at the next start", "directory", s.token, "err", err)
	}
	return s.staging.Close()
}

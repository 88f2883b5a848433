package bulkload

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"sluice/hbase/region"
	"sluice/hbase/rpc"
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

// callTimeout bounds a call. A server takes a file in some milliseconds, unless it has to copy it
// from another file system.
const callTimeout = 60 * time.Second

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

// prepare asks for a staging directory, records it for the next process, and opens it.
func (l *Loader) prepare(ctx context.Context) (*session, error) {
	message, err := l.anyRegion(ctx, methodPrepare, func(r *region.Region) []byte { return prepareRequest(l.regions.Name(), r) })
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
	if err := l.record(token); err != nil { // a full disk
		return nil, errors.Join(err, l.cleanup(ctx, token))
	}
	staging, err := l.o.OpenStaging(token)
	if err != nil {
		err = fmt.Errorf("staging directory %s: %w", token, err)
		return nil, errors.Join(err, l.cleanup(ctx, token))
	}
	return &session{token: token, family: l.o.Layout.Family, staging: staging}, nil
}

// cleanup removes a staging directory and the record of it.
func (l *Loader) cleanup(ctx context.Context, token string) error {
	_, err := l.anyRegion(ctx, methodCleanup, func(r *region.Region) []byte { return cleanupRequest(token, r) })
	if err != nil {
		return fmt.Errorf("remove the staging directory %s: %w", token, err)
	}
	return l.unrecord(token)
}

// anyRegion calls a method at the table's first region, whose server does what is common to all.
func (l *Loader) anyRegion(ctx context.Context, method string, param func(*region.Region) []byte) (message []byte, err error) {
	err = l.cluster.Retry(ctx, method, func(ctx context.Context) error {
		r, err := l.regions.Locate(ctx, nil)
		if err != nil {
			return err
		}
		response, err := l.call(ctx, r, method, param(r))
		if err != nil {
			l.forget(r, err)
			return err
		}
		message = response.Message // kept, so the response is not released
		return nil
	})
	return message, err
}

// call makes one call to a region's server.
func (l *Loader) call(ctx context.Context, r *region.Region, method string, param []byte) (*rpc.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return l.cluster.Call(ctx, r.Server, &rpc.Request{Method: method, Param: param})
}

// forget drops the cached location of a region if the error says that it is old.
func (l *Loader) forget(r *region.Region, err error) {
	if region.Classify(err) != rpc.Locate {
		return
	}
	if remote := remoteError(err); remote != nil && remote.Moved != nil {
		l.regions.Moved(r, *remote.Moved)
		return
	}
	l.regions.Drop(r)
}

package bulkload

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"sluice/hbase/region"
	"sluice/hbase/rpc"
)

// servers are the region servers of a table. Its methods can be called concurrently.
type servers struct {
	cluster *region.Cluster
	regions *region.Table
	family  string
	logger  *slog.Logger
}

// callTimeout bounds a call. A server takes a file in some milliseconds, unless it has to copy it
// from another file system.
const callTimeout = 60 * time.Second

// locate finds a key's region.
func (s *servers) locate(ctx context.Context, key []byte) (r *region.Region, err error) {
	if r := s.regions.Known(key); r != nil {
		return r, nil
	}
	err = s.cluster.Retry(ctx, "a region of "+s.regions.Name(), func(ctx context.Context) error {
		r, err = s.regions.Locate(ctx, key)
		return err
	})
	return r, err
}

// call makes one call to a region's server.
func (s *servers) call(ctx context.Context, r *region.Region, method string, param []byte) (*rpc.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.cluster.Call(ctx, r.Server, &rpc.Request{Method: method, Param: param})
}

// callAny calls a method at the table's first region, whose server does what is common to all.
func (s *servers) callAny(ctx context.Context, method string, param func(*region.Region) []byte) (message []byte, err error) {
	attempts := 0
	err = s.cluster.Retry(ctx, method, func(ctx context.Context) error {
		attempts++
		r, err := s.regions.Locate(ctx, nil)
		if err != nil {
			return err
		}
		response, err := s.call(ctx, r, method, param(r))
		if err != nil {
			s.forget(r, err)
			return cmp.Or(s.checkEnabled(ctx, attempts), err)
		}
		message = response.Message // kept, so the response is not released
		return nil
	})
	return message, err
}

// checkStateAt is the number of attempts after which, and after whose multiples, the table's state
// is checked.
const checkStateAt = 6

// checkEnabled checks the table's state if it is time for that after a number of failed attempts.
// The servers of a disabled table only answer that they do not have its regions, which would be
// retried without end.
func (s *servers) checkEnabled(ctx context.Context, attempts int) error {
	if attempts%checkStateAt != 0 {
		return nil
	}
	if err := s.cluster.CheckEnabled(ctx, s.regions.Name()); region.Classify(err) == rpc.GiveUp {
		return err
	}
	return nil
}

// forget drops the cached location of a region if the error says that it is old.
func (s *servers) forget(r *region.Region, err error) {
	if region.Classify(err) != rpc.Locate {
		return
	}
	var remote *rpc.RemoteError
	if errors.As(err, &remote) && remote.Moved != nil {
		s.regions.Moved(r, *remote.Moved)
		return
	}
	s.regions.Drop(r)
}

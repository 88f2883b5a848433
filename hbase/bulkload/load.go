package bulkload

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/retry"
)

// uploads is the number of files that are loaded at a time.
const uploads = 4

// uploader loads files into their regions.
type uploader struct {
	servers  *servers
	session  *session
	local    *localDir
	table    Table // for rows of files that cannot be loaded
	fallback fallback
	retries  *retry.Registry
}

// loadAll loads the files of all runs. A file that is loaded is removed, also from its run.
func (u *uploader) loadAll(ctx context.Context, runs map[*region.Region]*run) error {
	group, loading := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	for _, r := range runs {
		group.Go(func() error { return u.loadRun(loading, r) })
	}
	return group.Wait()
}

// loadRun loads the files of a run, as one.
func (u *uploader) loadRun(ctx context.Context, r *run) error {
	if len(r.files) > 1 {
		merged, err := u.local.merge(ctx, r.files, r.exclude)
		if err != nil {
			return err
		}
		r.files = append(r.files[:0], merged)
	}
	for len(r.files) > 0 {
		if err := u.load(ctx, r.files[0]); err != nil {
			return err
		}
		r.files = r.files[1:]
	}
	return nil
}

// load loads a file, and removes it. If it crosses the border of a region, its parts are loaded. If
// it cannot be loaded, its rows are written with Put.
func (u *uploader) load(ctx context.Context, f *localFile) error {
	t := transfer{u: u, file: f, backoff: rpc.Backoff{Limit: u.servers.cluster.Limit()}}
	defer u.retries.GiveUp(t.what(), &t)
	for {
		v, err := puts, error(nil)
		if !u.fallback.active() { // otherwise this file would fail as another one did, perhaps after a long wait
			v, err = t.step(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case v == loaded:
			u.retries.Recovered(t.what(), &t)
			return f.remove()
		case v == puts:
			if err := u.putBack(ctx, f, err); err != nil {
				return err
			}
			return f.remove()
		case v == fail:
			return err
		}
		u.retries.Failed(t.what(), &t, err)
		if err := t.backoff.Wait(ctx, err); err != nil {
			return err
		}
		if err := u.servers.checkEnabled(ctx, t.backoff.Attempts); err != nil {
			return err
		}
	}
}

// transfer is the load of one file into its region.
type transfer struct {
	u       *uploader
	file    *localFile
	staged  bool // as far as is known
	tries   int  // see attempt
	backoff rpc.Backoff
}

func (t *transfer) what() string { return "bulk load into " + t.u.servers.regions.Name() }

// step makes one attempt. The error is why it is not loaded.
func (t *transfer) step(ctx context.Context) (verdict, error) {
	t.backoff.Begin()
	r, err := t.u.servers.locate(ctx, t.file.first)
	if err != nil {
		return fail, err
	}
	if t.file.crosses(r) {
		if err := t.loadParts(ctx, r); err != nil {
			return fail, err
		}
		return loaded, nil
	}
	name := t.u.session.stagedName(t.file.name)
	if !t.staged {
		if err := t.u.session.staging.Store(ctx, t.file.path, name); err != nil {
			return puts, fmt.Errorf("upload to the staging directory: %w", err)
		}
		t.staged = true
		// The upload does not count as failing attempts: after a long one even a first failure would
		// be the last. decide bounds the number of uploads.
		t.backoff = rpc.Backoff{Limit: t.u.servers.cluster.Limit()}
		t.backoff.Begin()
	}
	a := attempt{staged: true}
	a.answer, a.err = t.ask(ctx, r)
	if a.err != nil || !a.answer {
		if a.staged, err = t.u.session.staging.Has(ctx, name); err != nil {
			return puts, fmt.Errorf("list the staging directory: %w", err)
		}
		// An unavailable server is retried without limit, as Put does; each other failure counts.
		if a.err == nil || !a.staged || region.Classify(a.err) == rpc.Unknown {
			t.tries++
		}
	}
	a.tries = t.tries
	v := decide(a)
	if v == loaded {
		return v, nil
	}
	t.react(r, v, a.err)
	err = fmt.Errorf("region %q: %w", r.Name, errRejected)
	if a.err != nil {
		err = fmt.Errorf("region %q: %w", r.Name, a.err)
	}
	return v, err
}

var errRejected = errors.New("its server rejected the file without a reason; the server's log has it")

// react prepares the next attempt.
func (t *transfer) react(r *region.Region, v verdict, err error) {
	switch {
	case v == stage:
		t.staged = false
		t.file.name = strings.ToLower(rand.Text()) // an earlier call may still be running

	case v == locate && err == nil:
		t.u.servers.regions.Drop(r)
	}
	if err != nil {
		t.u.servers.forget(r, err)
	}
}

// ask asks the region's server to take the staged file.
func (t *transfer) ask(ctx context.Context, r *region.Region) (bool, error) {
	user, err := t.u.session.staging.Token(ctx)
	if err != nil {
		return false, err
	}
	s := t.u.session
	response, err := t.u.servers.call(ctx, r, methodLoad, loadRequest(s.token, s.family, s.uri(t.file.name), r, user))
	if err != nil {
		return false, err
	}
	defer response.Release()
	return parseLoaded(response.Message)
}

package sasl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// maxCacheBytes bounds a ticket cache, which usually has some kilobytes.
const maxCacheBytes = 16 << 20

// tickets caches the tickets of a client, and renews them in time. Its methods are safe for
// concurrent use; one call at a time asks the KDC, and the others use its result.
type tickets struct {
	kdc       kdc
	name      types.PrincipalName // with keys; otherwise the cache has the client's name
	realm     string
	keys      *keytab.Keytab // nil: use the cache
	cachePath string
	principal string // required owner of the cache; empty: any

	turn     chan struct{} // a semaphore of one for the fields below
	tgt      ticket
	services map[string]ticket
}

// get returns a ticket for a service and the name of the client that it is for.
func (t *tickets) get(ctx context.Context, service types.PrincipalName, realm string) (ticket, types.PrincipalName, string, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return ticket{}, types.PrincipalName{}, "", ctx.Err()
	}
	spn := service.PrincipalNameString() + "@" + realm
	if held, ok := t.services[spn]; ok && t.fresh(held) {
		return held, t.name, t.realm, nil
	}
	if !t.fresh(t.tgt) || t.keys == nil { // the cache is read again, as kinit may have run
		if err := t.renew(ctx); err != nil {
			return ticket{}, t.name, t.realm, err
		}
	}
	tgt := t.tgt
	if realm != "" && realm != t.realm {
		var err error
		crossing := types.PrincipalName{NameType: 2, NameString: []string{"krbtgt", realm}}
		if tgt, err = t.kdc.serviceTicket(ctx, t.name, t.realm, tgt, crossing); err != nil {
			return ticket{}, t.name, t.realm, fmt.Errorf("log in to realm %s: %w", realm, err)
		}
	} else {
		realm = t.realm
	}
	got, err := t.kdc.serviceTicket(ctx, t.name, realm, tgt, service)
	if err != nil {
		return ticket{}, t.name, t.realm, err
	}
	t.services[spn] = got
	return got, t.name, t.realm, nil
}

// logIn is Kerberos.LogIn.
func (t *tickets) logIn(ctx context.Context) (string, time.Time, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", time.Time{}, ctx.Err()
	}
	if !t.fresh(t.tgt) {
		if err := t.renew(ctx); err != nil {
			return "", time.Time{}, err
		}
	}
	return t.name.PrincipalNameString() + "@" + t.realm, t.tgt.end, nil
}

// fresh reports whether a ticket can be used for a handshake that begins now.
func (t *tickets) fresh(held ticket) bool { return held.end.Sub(t.kdc.now()) > freshFor }

// freshFor is the remaining validity that a ticket needs to be used, longer than a handshake takes.
const freshFor = 10 * time.Second

// renew gets a new ticket-granting ticket.
func (t *tickets) renew(ctx context.Context) (err error) {
	if t.keys != nil {
		t.tgt, err = t.kdc.logIn(ctx, t.name, t.realm, t.keys)
		return err
	}
	return t.readCache()
}

func (t *tickets) readCache() error {
	cache, best, err := readCache(t.cachePath, t.principal, t.kdc.now())
	if err != nil {
		return err
	}
	var tgt messages.Ticket
	if err := tgt.Unmarshal(best.ticket); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNoTicket, t.cachePath, err)
	}
	name, _ := types.ParseSPNString(cache.name)
	t.name, t.realm, t.tgt = name, cache.realm, ticket{tgt, best.key, best.end}
	return nil
}

// cacheKind matches the types of caches that are not files.
var cacheKind = regexp.MustCompile(`^(DIR|KCM|KEYRING|MEMORY|API|MSLSA):`)

// readCache reads a cache and finds the ticket-granting ticket with the latest end.
func readCache(path, principal string, now time.Time) (cache ticketCache, best cacheEntry, err error) {
	if kind := cacheKind.FindStringSubmatch(path); kind != nil {
		return cache, best, fmt.Errorf("%w: the ticket cache %s is of kind %s, and only files are read: export KRB5CCNAME=FILE:/path and run kinit, or name a keytab", ErrNoTicket, path, kind[1])
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return cache, best, fmt.Errorf("%w: there is neither a keytab nor a ticket cache at %s: run kinit, or name a keytab", ErrNoTicket, path)
	}
	if err != nil {
		return cache, best, fmt.Errorf("%w: %w", ErrNoTicket, err)
	}
	if info.Size() > maxCacheBytes {
		return cache, best, fmt.Errorf("%w: %s has %d bytes, too many for a ticket cache", ErrNoTicket, path, info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return cache, best, fmt.Errorf("%w: %w", ErrNoTicket, err)
	}
	if cache, err = parseCache(b); err != nil {
		return cache, best, fmt.Errorf("%w: %s: %w", ErrNoTicket, path, err)
	}
	whose := cache.name + "@" + cache.realm
	if principal != "" && principal != whose && principal != cache.name {
		return cache, best, fmt.Errorf("%w: %s has tickets of %s, not of %s: run kinit %s, or name a keytab", ErrNoTicket, path, whose, principal, principal)
	}
	for _, e := range cache.entries {
		if e.server == "krbtgt/"+cache.realm && e.realm == cache.realm && e.end.After(best.end) {
			best = e
		}
	}
	if best.ticket == nil {
		return cache, best, fmt.Errorf("%w: %s has no ticket-granting ticket: run kinit", ErrNoTicket, path)
	}
	if !best.end.After(now) {
		return cache, best, fmt.Errorf("%w: the ticket of %s in %s expired at %s: run kinit, or use a keytab, with which tickets are renewed in time",
			errExpired, whose, path, best.end.Format(time.RFC3339))
	}
	return cache, best, nil
}

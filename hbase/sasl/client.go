package sasl

import (
	"fmt"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/credentials"
)

// Client is gokrb5's own client of the same log-in, for who cannot do without one
// (a client of HDFS). It gets new tickets as long as it has a keytab; of a ticket
// cache it has what was in it just now. It makes goroutines: Destroy ends them.
// Config.Now, ServerPrincipal and Protections have no part in it.
func (c Config) Client() (*client.Client, error) {
	krb5, err := c.load()
	if err != nil {
		return nil, err
	}
	if c.Keytab != "" {
		keys, name, realm, err := readKeytab(c.Keytab, c.Principal, krb5.LibDefaults.DefaultRealm)
		if err != nil {
			return nil, err
		}
		return client.NewWithKeytab(name.PrincipalNameString(), realm, keys, krb5, client.DisablePAFXFAST(true)), nil
	}
	path := c.cachePath()
	_, _, b, err := readCache(path, c.Principal, time.Now()) // gokrb5's reader trusts lengths: ours went before
	if err != nil {
		return nil, err
	}
	var cache credentials.CCache
	if err := cache.Unmarshal(b); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNoTicket, path, err)
	}
	gokrb5, err := client.NewFromCCache(&cache, krb5, client.DisablePAFXFAST(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNoTicket, path, err)
	}
	return gokrb5, nil
}

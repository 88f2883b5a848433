package sasl

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/types"
)

// cacheEntry is a ticket of a ticket cache. Its bytes are parts of the cache's.
type cacheEntry struct {
	server, realm string // krbtgt/EXAMPLE.COM, and the realm that issued it
	key           types.EncryptionKey
	end           time.Time
	ticket        []byte // DER
}

// ticketCache is the parsed ticket cache of kinit: the client and the tickets.
type ticketCache struct {
	name, realm string
	entries     []cacheEntry
}

var errCache = errors.New("not a ticket cache of version 4 (kinit writes them: FILE:/path)")

// parseCache parses a ticket cache (MIT Kerberos, Credential cache file format, version 4).
// gokrb5's parser is not used, as it trusts every length in the file.
func parseCache(b []byte) (c ticketCache, err error) {
	r := cacheReader{b: b}
	if r.u16() != 0x0504 {
		return c, errCache
	}
	r.take(uint32(r.u16())) // tags, of which only the KDC's clock is defined
	c.name, c.realm = r.principal()
	for len(r.b) > 0 && !r.short {
		var e cacheEntry
		r.principal() // the client again
		e.server, e.realm = r.principal()
		e.key.KeyType = int32(r.u16())
		e.key.KeyValue = r.data()
		r.take(8) // authentication time, start time
		e.end = time.Unix(int64(r.u32()), 0)
		r.take(4 + 1 + 4) // renewable until, session key encryption flag, ticket flags
		for range 2 {     // addresses, authorization data
			for n := r.u32(); n > 0 && !r.short; n-- {
				r.u16()
				r.data()
			}
		}
		e.ticket = r.data()
		r.data() // second ticket
		c.entries = append(c.entries, e)
	}
	if r.short || c.name == "" || c.realm == "" {
		return ticketCache{}, errCache
	}
	return c, nil
}

// cacheReader reads from the front of b. After too few bytes it is short and returns zero values.
type cacheReader struct {
	b     []byte
	short bool
}

func (r *cacheReader) take(n uint32) []byte {
	if uint64(n) > uint64(len(r.b)) {
		r.short, r.b = true, nil
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *cacheReader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *cacheReader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *cacheReader) data() []byte { return r.take(r.u32()) }

func (r *cacheReader) principal() (name, realm string) {
	r.u32() // type
	n := r.u32()
	realm = string(r.data())
	var parts []string
	for ; n > 0 && !r.short; n-- {
		parts = append(parts, string(r.data()))
	}
	return strings.Join(parts, "/"), realm
}

package sasl

import (
	"encoding/binary"
	"testing"
	"time"
)

// cacheBytes returns a cache with one ticket, in MIT's format.
func cacheBytes(end time.Time) []byte {
	u16, u32 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32
	data := func(b []byte, s string) []byte { return append(u32(b, uint32(len(s))), s...) }
	principal := func(b []byte, parts ...string) []byte {
		b = data(u32(u32(b, 1), uint32(len(parts))), "EXAMPLE.COM")
		for _, p := range parts {
			b = data(b, p)
		}
		return b
	}
	b := u16(u16([]byte{5, 4}, 12), 1) // the header: one tag,
	b = u32(u32(u16(b, 8), 0), 0)      // the KDC's clock
	b = principal(b, "sluice")
	b = principal(principal(b, "sluice"), "krbtgt", "EXAMPLE.COM")
	b = data(u16(b, 18), "a key")
	b = u32(u32(u32(u32(b, 1), 1), uint32(end.Unix())), 2)
	b = u32(append(b, 0), 0)                // session key encryption flag, ticket flags
	b = data(u16(u32(b, 1), 2), "address!") // one address
	b = u32(b, 0)                           // no authorization data
	return data(data(b, "a ticket"), "")
}

func TestTicketCacheIsRead(t *testing.T) {
	end := time.Unix(1_800_000_000, 0)
	c, err := parseCache(cacheBytes(end))
	if err != nil || c.name != "sluice" || c.realm != "EXAMPLE.COM" || len(c.entries) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	e := c.entries[0]
	if e.server != "krbtgt/EXAMPLE.COM" || e.realm != "EXAMPLE.COM" || !e.end.Equal(end) ||
		string(e.ticket) != "a ticket" || e.key.KeyType != 18 || string(e.key.KeyValue) != "a key" {
		t.Errorf("%+v", e)
	}
}

// kinit overwrites the file, which may be read meanwhile: a truncated cache is an error.
func TestTruncatedTicketCacheIsAnError(t *testing.T) {
	whole := cacheBytes(time.Unix(1, 0))
	for n := range whole {
		if c, err := parseCache(whole[:n]); err == nil && len(c.entries) != 0 {
			t.Errorf("%d bytes of %d: %+v", n, len(whole), c)
		}
	}
}

func FuzzParseCache(f *testing.F) {
	whole := cacheBytes(time.Unix(1, 0))
	f.Add(whole)
	f.Add(whole[:60])
	f.Add([]byte{5, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseCache(b)
		if err == nil && (c.name == "" || c.realm == "") {
			t.Errorf("a cache without a principal: %+v", c)
		}
	})
}

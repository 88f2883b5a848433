package sasl

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"sluice/hadoop"
)

// Config has the client's principal and settings. The zero Config uses what kinit leaves: the
// system's krb5.conf, and the user's ticket cache.
type Config struct {
	// Krb5Config is the path of krb5.conf; empty: KRB5_CONFIG, or /etc/krb5.conf.
	Krb5Config string
	// Keytab has the key of Principal (user or user/host, with or without @REALM; empty: the first
	// one in the keytab). Tickets are obtained with it, and renewed before they expire. Without a
	// keytab, the cache's tickets must be those of Principal, if it is set.
	Keytab, Principal string
	// Cache is the path of the ticket cache that is used without a keytab. It is read again when
	// its tickets expire. Empty: KRB5CCNAME, or /tmp/krb5cc_UID.
	Cache string
	// ServerPrincipal is the principal of the servers, as in hbase.regionserver.kerberos.principal,
	// where _HOST stands for the server's name; empty: hbase/_HOST. Without a realm it is that of
	// krb5.conf's [domain_realm], or the client's.
	ServerPrincipal string
	// Protections are the accepted protections, the preferred first, as in hbase.rpc.protection;
	// empty: the strongest that a server offers.
	Protections []Protection
	// PrincipalSetting and ProtectionSetting are the names of the servers' settings in errors;
	// empty: HBase's.
	PrincipalSetting, ProtectionSetting string
	// Now is a clock; nil: time.Now.
	Now func() time.Time
	// Getenv reads the environment; nil: os.Getenv.
	Getenv func(string) string
}

// Kerberos authenticates connections by SASL's GSSAPI. Its methods are safe for concurrent use.
type Kerberos struct {
	config      *config.Config
	tickets     *tickets
	server      string
	protections []Protection
	now         func() time.Time

	protectionSetting string
}

// New reads krb5.conf and keytab. Tickets are obtained when a connection is made.
func New(c Config) (*Kerberos, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	protectionSetting := first(c.ProtectionSetting, "hbase.rpc.protection")
	for _, p := range c.Protections {
		if !slices.Contains([]Protection{Authentication, Integrity, Privacy}, p) {
			return nil, fmt.Errorf("Kerberos: a protection (%s) must be authentication, integrity or privacy, not %q", protectionSetting, p)
		}
	}
	krb5, err := c.load()
	if err != nil {
		return nil, err
	}
	t := &tickets{
		kdc: kdc{config: krb5, now: c.Now, dial: (&net.Dialer{}).DialContext,
			principalSetting: first(c.PrincipalSetting, "hbase.regionserver.kerberos.principal")},
		turn: make(chan struct{}, 1), services: map[string]ticket{},
		cachePath: c.cachePath(), principal: c.Principal,
	}
	if c.Keytab != "" {
		if err := t.readKeytab(c.Keytab, c.Principal); err != nil {
			return nil, err
		}
	}
	return &Kerberos{config: krb5, tickets: t, server: first(c.ServerPrincipal, "hbase/_HOST"), protections: c.Protections, now: c.Now,
		protectionSetting: protectionSetting}, nil
}

func (c Config) env(name string) string {
	if c.Getenv != nil {
		return c.Getenv(name)
	}
	return os.Getenv(name)
}

// load reads krb5.conf.
func (c Config) load() (*config.Config, error) {
	path := first(c.Krb5Config, c.env("KRB5_CONFIG"), "/etc/krb5.conf")
	krb5, err := config.Load(path)
	var unsupported config.UnsupportedDirective
	if err != nil && !errors.As(err, &unsupported) { // unsupported settings are not needed here
		return nil, fmt.Errorf("Kerberos: read krb5.conf (KRB5_CONFIG names it): %s: %w", path, err)
	}
	return krb5, nil
}

// cachePath returns the path of the ticket cache, with its type in front unless that is FILE.
func (c Config) cachePath() string {
	return strings.TrimPrefix(first(c.Cache, c.env("KRB5CCNAME"), "/tmp/krb5cc_"+strconv.Itoa(os.Getuid())), "FILE:")
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// readKeytab sets the client's principal and keys.
func (t *tickets) readKeytab(path, principal string) (err error) {
	t.keys, t.name, t.realm, err = readKeytab(path, principal, t.kdc.config.LibDefaults.DefaultRealm)
	return err
}

// readKeytab finds the principal's key, or the first one.
func readKeytab(path, principal, defaultRealm string) (keys *keytab.Keytab, name types.PrincipalName, realm string, err error) {
	if keys, err = keytab.Load(path); err != nil {
		return nil, name, "", fmt.Errorf("read the keytab %s: %w", path, err)
	}
	if principal == "" {
		if len(keys.Entries) == 0 {
			return nil, name, "", fmt.Errorf("%w: the keytab %s is empty", ErrPrincipal, path)
		}
		principal = keys.Entries[0].Principal.String()
	}
	name, realm = types.ParseSPNString(principal)
	realm = first(realm, defaultRealm)
	for _, e := range keys.Entries {
		if slices.Equal(e.Principal.Components, name.NameString) && e.Principal.Realm == realm {
			return keys, name, realm, nil
		}
	}
	return nil, name, "", fmt.Errorf("%w: the keytab %s has no key of %s@%s (klist -k says whose it has)", ErrPrincipal, path, name.PrincipalNameString(), realm)
}

// LogIn gets a ticket-granting ticket, unless there is a valid one, and returns its principal and
// end.
func (k *Kerberos) LogIn(ctx context.Context) (principal string, until time.Time, err error) {
	return k.tickets.logIn(ctx)
}

// Handshake returns a handshake that sends the protocol's preamble and logs in.
func (k *Kerberos) Handshake(preamble []byte) hadoop.Handshake {
	return func(ctx context.Context, raw net.Conn, server hadoop.Server) (net.Conn, error) {
		return k.handshake(ctx, raw, server, preamble)
	}
}

func (k *Kerberos) handshake(ctx context.Context, raw net.Conn, server hadoop.Server, preamble []byte) (net.Conn, error) {
	c, token, err := k.Begin(ctx, server.Host)
	if err != nil {
		return nil, err
	}
	if _, err := raw.Write(appendToken(slices.Clip(preamble), token)); err != nil {
		return nil, fmt.Errorf("send the ticket: %w", err)
	}
	offer, err := readReply(raw)
	if err != nil {
		service, _ := k.servicePrincipal(server.Host)
		return nil, fmt.Errorf("present the ticket for %s: %w", service.PrincipalNameString(), err)
	}
	return agree(raw, c, offer)
}

// servicePrincipal returns the server's principal, and its realm if it is known.
func (k *Kerberos) servicePrincipal(host string) (types.PrincipalName, string) {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	service, realm := types.ParseSPNString(strings.ReplaceAll(k.server, "_HOST", host))
	return service, first(realm, k.config.ResolveRealm(host))
}

// The flags of a context (RFC 4121, 4.1.1.1). Mutual authentication is not needed: the server's
// offer is signed with a key that only it can get from the ticket.
const contextFlags = 4 | 8 | 16 | 32 // replay detection, sequence, confidentiality, integrity

// contextToken returns the first token of a context, an AP-REQ (RFC 4121, 4.1), with a key of its
// own for what follows.
func contextToken(t ticket, name types.PrincipalName, realm string, now time.Time) ([]byte, *secrets, error) {
	cipher, err := crypto.GetEtype(t.key.KeyType)
	if err != nil {
		return nil, nil, fmt.Errorf("encryption type %d: %w", t.key.KeyType, err)
	}
	subkey := types.EncryptionKey{KeyType: t.key.KeyType, KeyValue: make([]byte, cipher.GetKeyByteSize())}
	rand.Read(subkey.KeyValue)
	var random [4]byte
	rand.Read(random[:])
	number := binary.BigEndian.Uint32(random[:]) >> 2 // some implementations read it as signed

	flags := make([]byte, 24) // length of the channel bindings, the bindings (none), flags; little-endian
	flags[0], flags[20] = 16, contextFlags
	now = now.UTC()
	request, err := messages.NewAPReq(t.ticket, t.key, types.Authenticator{
		AVNO: iana.PVNO, CRealm: realm, CName: name,
		Cksum: types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: flags},
		Cusec: now.Nanosecond() / 1000, CTime: now,
		SubKey: subkey, SeqNumber: int64(number),
	})
	if err != nil {
		return nil, nil, err
	}
	b, err := request.Marshal()
	if err != nil {
		return nil, nil, err
	}
	s, err := newSecrets(subkey, uint64(number), false)
	if err != nil {
		return nil, nil, err
	}
	// The mechanism's object identifier, 1.2.840.113554.1.2.2, and the token's: 01 00.
	head := []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x01, 0x00}
	return asn1tools.AddASNAppTag(append(head, b...), 0), s, nil
}

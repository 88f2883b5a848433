package sasl

import (
	"context"
	"encoding/binary"
	"fmt"
)

// maxOurTokenBytes bounds a token that is sent, whatever the server would accept.
const maxOurTokenBytes = 64 << 10

// Context is a security context with a server, independent of the protocol that carries its tokens.
// One Wrap and one Unwrap may run at the same time.
type Context struct {
	secrets  *secrets
	accept   []Protection
	setting  string // the server's setting of what it accepts
	agreed   Protection
	maxPlain int
}

// Begin returns the first token for the service on a host. Pass the server's reply to Agree.
func (k *Kerberos) Begin(ctx context.Context, host string) (c *Context, token []byte, err error) {
	service, realm := k.servicePrincipal(host)
	t, name, nameRealm, err := k.tickets.get(ctx, service, realm)
	if err != nil {
		return nil, nil, fmt.Errorf("a ticket for %s: %w", service.PrincipalNameString(), err)
	}
	token, secrets, err := contextToken(t, name, nameRealm, k.now())
	if err != nil {
		return nil, nil, fmt.Errorf("begin with %s: %w", service.PrincipalNameString(), err)
	}
	return &Context{secrets: secrets, accept: k.protections, setting: k.protectionSetting}, token, nil
}

// Agree answers the server's offer, a signed token with the bits of the accepted protections (1)
// and the maximum size of a token (3), with the chosen protection and our maximum size.
func (c *Context) Agree(offer []byte) (answer []byte, err error) {
	data, err := c.secrets.unwrap(offer, false)
	if err != nil {
		return nil, fmt.Errorf("the server's offer: %w", err)
	}
	if len(data) != 4 {
		return nil, fmt.Errorf("the server's offer has %d bytes, not 4", len(data))
	}
	chosen, bit, err := choose(data[0], c.accept, c.setting)
	if err != nil {
		return nil, err
	}
	answer = []byte{bit, 0xff, 0xff, 0xff} // tokens of servers are bounded by maxTokenBytes instead
	if chosen == Authentication {
		answer = []byte{bit, 0, 0, 0}
	}
	taken := int(binary.BigEndian.Uint32(data) & 0xffffff)
	c.agreed, c.maxPlain = chosen, min(taken, maxOurTokenBytes)-c.secrets.maxOverhead()
	if chosen != Authentication && c.maxPlain < 1 {
		return nil, fmt.Errorf("the server accepts tokens of at most %d bytes, too few for any message", taken)
	}
	return c.secrets.wrap(answer, false)
}

// Agreed returns the protection of everything after Agree; at Authentication nothing is wrapped.
func (c *Context) Agreed() Protection { return c.agreed }

// MaxPlain returns the maximum number of bytes for Wrap.
func (c *Context) MaxPlain() int { return c.maxPlain }

// Wrap makes the next token of data. It does not keep data.
func (c *Context) Wrap(data []byte) ([]byte, error) {
	return c.secrets.wrap(data, c.agreed == Privacy)
}

// Unwrap returns the data of the server's next token; it is a part of token.
func (c *Context) Unwrap(token []byte) ([]byte, error) {
	return c.secrets.unwrap(token, c.agreed == Privacy)
}

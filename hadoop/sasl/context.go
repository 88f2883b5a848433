package sasl

import (
	"context"
	"encoding/binary"
	"fmt"
)

// maxOurTokenBytes bounds a token of ours, whatever the server would take.
const maxOurTokenBytes = 64 << 10

// Context is a security context with a server, which has taken our ticket: what is
// said by whichever protocol carries its tokens. Wrap and Unwrap may go on at the
// same time, neither of them twice.
type Context struct {
	secrets  *secrets
	accept   []Protection
	setting  string // the server's, that says what it accepts
	agreed   Protection
	maxPlain int
}

// Begin gives the first token for the service at a host. The server's answer is for
// Agree.
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

// Agree answers the server's offer, a signed token with the bits of the protections
// that it accepts (1) and the size of token that it takes (3), by one of them and the
// size that we take.
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
	answer = []byte{bit, 0xff, 0xff, 0xff} // what servers send is bounded by their answers, not by this
	if chosen == Authentication {
		answer = []byte{bit, 0, 0, 0}
	}
	taken := int(binary.BigEndian.Uint32(data) & 0xffffff)
	c.agreed, c.maxPlain = chosen, min(taken, maxOurTokenBytes)-c.secrets.maxOverhead()
	if chosen != Authentication && c.maxPlain < 1 {
		return nil, fmt.Errorf("the server takes tokens of %d bytes, too few to say anything", taken)
	}
	return c.secrets.wrap(answer, false)
}

// Agreed is the protection of everything after Agree; at Authentication nothing is
// wrapped.
func (c *Context) Agreed() Protection { return c.agreed }

// MaxPlain is how many bytes Wrap takes at a time.
func (c *Context) MaxPlain() int { return c.maxPlain }

// Wrap makes the next token of data, which it does not keep.
func (c *Context) Wrap(data []byte) ([]byte, error) {
	return c.secrets.wrap(data, c.agreed == Privacy)
}

// Unwrap gives the data of the server's next token, as a part of it.
func (c *Context) Unwrap(token []byte) ([]byte, error) {
	return c.secrets.unwrap(token, c.agreed == Privacy)
}

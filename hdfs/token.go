package hdfs

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"sluice/hadoop/site"
	"sluice/hdfs/protection"
)

// Token is a delegation token of HDFS: its holder acts there as this client.
type Token struct {
	protection.Token
	// Service is what a client looks up the token by, see tokenService.
	Service string
	// Fetched is when the name node made it. It is valid for a day, unless the name node is
	// configured otherwise (dfs.namenode.delegation.token.renew-interval).
	Fetched time.Time
}

// Token requests a delegation token from the name node. It is nil in a cluster without Kerberos,
// where none is needed.
func (a *Archive) Token(ctx context.Context) (token *Token, err error) {
	if a.calls.pool.login == nil {
		return nil, nil
	}
	err = a.calls.again(ctx, "get a delegation token", func(c *client) error {
		user, _, err := c.login.LogIn(ctx)
		if err != nil {
			return err
		}
		return c.onNameNode(ctx, func(made net.Conn) error {
			fetched, err := protection.FetchToken(made, user, user)
			if err != nil {
				return err
			}
			token = &Token{Token: *fetched, Fetched: time.Now()}
			token.Service, err = a.service.of(ctx, c.lastNameNode())
			return err
		})
	})
	return token, a.root.on("", "get a delegation token for", err)
}

// tokenService is how Hadoop names the service of a token (SecurityUtil.buildTokenService, HAUtilClient).
type tokenService struct {
	logical string // a name service with several name nodes
	byName  bool   // hadoop.security.token.service.use_ip is false
}

func newTokenService(conf site.Site, authority string) (s tokenService) {
	if conf.Get("dfs.ha.namenodes."+authority) != "" {
		s.logical = authority
	}
	s.byName = conf.Is("hadoop.security.token.service.use_ip", "false")
	return s
}

// of returns the name for the token of a name node, host:port.
func (s tokenService) of(ctx context.Context, nameNode string) (string, error) {
	if s.logical != "" {
		return "ha-hdfs:" + s.logical, nil
	}
	host, port, err := net.SplitHostPort(nameNode)
	if err != nil || s.byName {
		return strings.ToLower(nameNode), err
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil || len(addresses) == 0 {
		addresses, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
	if err != nil {
		return "", err
	}
	if len(addresses) == 0 {
		return "", errors.New("the name node has no address")
	}
	return net.JoinHostPort(addresses[0].Unmap().String(), port), nil
}

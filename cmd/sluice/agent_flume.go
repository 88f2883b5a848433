package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"

	"sluice/ingest/avrorpc"
)

// flumeScheme precedes the addresses of Flume's Avro sources.
const flumeScheme = "flume://"

// findFlume removes the scheme from the collectors' addresses and sets flume. The scheme may
// precede each address, or the first one for all.
func (c *agentCmd) findFlume() error {
	for i, address := range c.Collector {
		rest, ok := strings.CutPrefix(address, flumeScheme)
		if ok && i > 0 && !c.flume {
			return usage("--collector %s: an agent sends to Flume or to collectors of sluice, not to both", address)
		}
		c.flume = c.flume || ok
		c.Collector[i] = strings.TrimSuffix(rest, "/")
	}
	if c.FlumeDeflate && !c.flume {
		return usage("--flume-deflate is for --collector flume://HOST:PORT")
	}
	return nil
}

// dial returns the function that connects to a collector.
func (c *agentCmd) dial(t *tlsFiles) func(context.Context, string) (net.Conn, error) {
	if !c.flume || !c.FlumeDeflate {
		return t.dial
	}
	return t.dialDeflated
}

// dialDeflated connects to a Flume source with compression. zlib is the outer layer and TLS the
// inner one, as in Flume since 1.10.
func (t *tlsFiles) dialDeflated(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	conn := avrorpc.Deflate(raw)
	if t == nil {
		return conn, nil
	}
	config, err := t.read()
	if err == nil {
		config = config.Clone()
		config.ServerName, _, err = net.SplitHostPort(address)
	}
	if err == nil {
		secured := tls.Client(conn, config)
		err, conn = secured.HandshakeContext(ctx), secured
	}
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return conn, nil
}

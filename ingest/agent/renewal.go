package agent

import (
	"bytes"
	"context"
	"errors"
	"time"

	"sluice/ingest/protocol"
	"sluice/retry"
)

// errRenewed ends a session so that the next one presents the renewed certificate.
var errRenewed = errors.New("this host's certificate was renewed")

const (
	// renewalInterval is the time between two checks whether the certificate was renewed.
	renewalInterval = 10 * time.Second
	// maxRenewalPause is the longest pause after a collector rejected a renewed certificate.
	maxRenewalPause = 5 * time.Minute
)

// certificate returns the certificate that a new connection presents; nil: none.
func (cfg *Config) certificate() []byte {
	if cfg.Certificate == nil {
		return nil
	}
	return cfg.Certificate()
}

// awaitRenewal returns errRenewed when the certificate is not the one that the session's connection
// presented, and the collector accepts it. A connection may be open for longer than a certificate
// is valid, and the collector reports the one that was presented. While the collector rejects the
// new one, the session continues: a wrong certificate must not end a connection that works.
func (s *sender) awaitRenewal(ctx context.Context, collector string, presented []byte) error {
	pause := retry.Backoff{First: renewalInterval, Max: maxRenewalPause}
	for attempts := 0; ; {
		if err := pause.Wait(ctx); err != nil {
			return err
		}
		if bytes.Equal(s.cfg.certificate(), presented) {
			attempts = 0
			pause.Reset()
			continue
		}
		err := s.tryCertificate(ctx, collector)
		if err == nil {
			return errRenewed
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		attempts++
		s.cfg.Log.Warn("renewed certificate not accepted, connection kept, retrying", "collector", collector, "err", err, "attempts", attempts)
	}
}

// tryCertificate returns nil if a collector accepts the present certificate for this host.
func (s *sender) tryCertificate(ctx context.Context, collector string) error {
	client, err := s.cfg.connect(ctx, collector)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // it returns nil
	hello := protocol.Hello{Host: s.cfg.Tail.Host, Agent: s.cfg.Name}
	_, err = client.Call(ctx, protocol.MessageHello, hello.Append(nil), nil, nil)
	return err
}

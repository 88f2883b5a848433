package avrorpc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// A handshake that is not completed ends the connection: TLS's and the protocol's, from a peer that
// sends nothing, or a byte at intervals.
func TestAMissingHandshakeEndsTheConnection(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secured := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	clientHello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	for _, x := range []struct {
		name  string
		layer *tls.Config
		sends string
		drips bool
	}{
		{"TLS, nothing", secured, "", false},
		{"TLS, the beginning", secured, clientHello, false},
		{"TLS, drop by drop", secured, clientHello, true},
		{"the protocol, nothing", nil, "", false},
		{"the protocol, drop by drop", nil, "\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x10\x00", true},
	} {
		t.Run(x.name, func(t *testing.T) {
			address := serve(t, &Server{
				Limits: Limits{Frame: 200 * time.Millisecond}, Upgrade: Layers{TLS: x.layer}.Upgrade,
				Services: []Service{{Protocol: echoProtocol(t), Open: func(context.Context, Peer) (Session, error) { return echo{}, nil }}},
			})
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = io.Copy(io.Discard, conn) // until the server closes it
			}()
			tick := time.NewTicker(40 * time.Millisecond)
			defer tick.Stop()
			if !x.drips {
				_, err = conn.Write([]byte(x.sends))
			}
			late := time.After(5 * time.Minute)
			for {
				select {
				case <-ended:
					return
				case <-tick.C:
					if x.drips && len(x.sends) > 0 {
						_, err = conn.Write([]byte(x.sends[:1])) // an error ends it too
						x.sends = x.sends[1:]
					} else if x.drips {
						_, err = conn.Write([]byte{0})
					}
				case <-late:
					t.Fatal("the connection is still open")
				}
				if err != nil && !errors.Is(err, net.ErrClosed) {
					<-ended
					return
				}
			}
		})
	}
}

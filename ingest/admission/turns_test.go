package admission

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// certified connects from an address with a certificate.
func (f *fixture) certified(addr string, names ...string) (*conn, bool) {
	c, p := f.connect(addr)
	return c, p != nil && f.Authenticate(p, names)
}

func open(conns []*conn) (n int) {
	for _, c := range conns {
		if !c.closed {
			n++
		}
	}
	return n
}

func TestOneCertificateOnManyAddressesDoesNotTakeThePlacesOfOthers(t *testing.T) {
	for _, hosts := range []int{100, 147} { // the places are 150 for authenticated connections
		t.Run(fmt.Sprint(hosts), func(t *testing.T) {
			f := newFixture(t, Limits{Conns: 160, ConnsPerPeer: 10})
			var honest, hostile []*conn
			for i := range hosts {
				c, _ := f.certified(fmt.Sprintf("192.0.2.%d", i), fmt.Sprint("web", i))
				honest = append(honest, c)
			}
			for i := range 1000 {
				f.now = f.now.Add(time.Second)
				c, ok := f.certified(fmt.Sprintf("10.0.%d.%d", i/200, i%200), "stolen")
				if ok {
					hostile = append(hostile, c)
				}
			}
			if n := open(honest); n < hosts {
				t.Errorf("%d connections of honest hosts were closed", hosts-n)
			}
			if n := open(hostile); n != min(150-hosts, 10) {
				t.Errorf("the certificate has %d connections", n)
			}
			if w := strings.Join(f.Warnings(), "\n"); hosts == 100 && !strings.Contains(w, "certificate for \"stolen\" (limit 10 for each host): ") {
				t.Errorf("the certificate is not named: %s", w)
			}
			for i := range 2 { // more honest hosts come
				if _, ok := f.certified(fmt.Sprintf("198.51.100.%d", i), fmt.Sprint("app", i)); !ok {
					t.Errorf("honest host %d was rejected", i)
				}
			}
			if n := open(honest); n < hosts {
				t.Errorf("%d connections of honest hosts were closed for others", hosts-n)
			}
		})
	}
}

func TestACertificateOfManyHostsHasPlacesForEach(t *testing.T) {
	f := newFixture(t, Limits{Conns: 160, ConnsPerPeer: 10})
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprint("web", i))
	}
	var conns []*conn
	for i := range names {
		c, _ := f.certified(fmt.Sprintf("192.0.2.%d", i), names...)
		conns = append(conns, c)
	}
	if n := open(conns); n < len(conns) {
		t.Errorf("%d of %d connections are open", n, len(conns))
	}
}

// The server does not know yet that the earlier connections of a host broke.
func TestAHostThatReconnectsReplacesItsOldestConnection(t *testing.T) {
	f := newFixture(t, Limits{Conns: 160, ConnsPerPeer: 100})
	var conns []*conn
	for i := range 100 {
		f.now = f.now.Add(time.Second)
		c, ok := f.certified("192.0.2.1", "web01")
		if !ok {
			t.Fatalf("connection %d was rejected", i)
		}
		conns = append(conns, c)
	}
	if n := open(conns[90:]); n != 10 || open(conns) != 10 {
		t.Errorf("%d of the last 10 connections are open, of all %d", n, open(conns))
	}
	if len(f.certificates) != 1 {
		t.Errorf("%d certificates", len(f.certificates))
	}
}

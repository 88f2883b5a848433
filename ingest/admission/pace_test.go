package admission

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestConnectionsThatDoNotAuthenticateAreAcceptedAtABoundedRate(t *testing.T) {
	f := newFixture(t, Limits{Conns: 100, ConnsPerPeer: 64})
	began := f.now
	accept := func(network string, until time.Duration, authenticate bool) (accepted int) {
		for f.now.Sub(began) < until {
			if pause := f.Pause(); pause > 0 {
				f.now = f.now.Add(pause)
				continue
			}
			accepted++
			_, p := f.connect(fmt.Sprint(network, accepted%50))
			if p != nil && authenticate {
				f.Authenticate(p, nil)
				f.Leave(p)
			}
			f.now = f.now.Add(10 * time.Microsecond)
		}
		return accepted
	}
	if n := accept("192.0.2.", 10*time.Second, false); n > 10*acceptRate+100 || n < 9*acceptRate {
		t.Errorf("%d connections were accepted in 10 s, want about %d", n, 10*acceptRate)
	}
	f.now = f.now.Add(time.Second)
	began = f.now
	if n := accept("198.51.100.", time.Second, true); n < 20*acceptRate {
		t.Errorf("%d connections that authenticate were accepted in 1 s: they are not to wait", n)
	}
}

// hurry connects from an address as often as the limits allow within a time, each connection
// closing as soon as it is served. It returns the number of connections.
func (f *fixture) hurry(from string, within time.Duration) (served int) {
	end := f.now.Add(within)
	for f.now.Before(end) {
		_, p := f.connect(from)
		f.now = f.now.Add(max(f.Delay(p), 10*time.Microsecond))
		f.Leave(p)
		served++
	}
	return served
}

func TestAPeerThatConnectsAgainAndAgainWaitsAndOthersDoNot(t *testing.T) {
	f := newFixture(t, Limits{Conns: 1024, ConnsPerPeer: 64})
	for _, c := range []struct {
		from  string
		times int
	}{{"192.0.2.1", 1}, {"2001:db8::1", networkFactor}} {
		if n, most := f.hurry(c.from, 10*time.Second), c.times*(64+10*peerRate); n > most+1 || n < most-c.times*peerRate {
			t.Errorf("%s was served %d times in 10 s, want about %d", c.from, n, most)
		}
	}
	_, p := f.connect("192.0.2.9")
	if d := f.Delay(p); d != 0 {
		t.Errorf("another peer waits for %v", d)
	}
	if w := f.Warnings(); len(w) != 1 || !strings.Contains(w[0], "had to wait since") || !strings.Contains(w[0], " of them from 2001:db8::/64") {
		t.Errorf("%q", w)
	}
	f.now = f.now.Add(reportTime)
	if w := f.Warnings(); w != nil {
		t.Errorf("the warning does not end: %q", w)
	}
}

func TestConnectionsOfManyPeersAreServedAtABoundedRate(t *testing.T) {
	f := newFixture(t, Limits{Conns: 100, ConnsPerPeer: 10})
	total := processorRate * runtime.GOMAXPROCS(0)
	var waiting []*Place // the first one is served first
	served, admitted := 0, 0
	for end := f.now.Add(10 * time.Second); f.now.Before(end); served++ { // the places are always taken
		for len(waiting) < 100 {
			_, p := f.connect(fmt.Sprintf("10.0.%d.%d", admitted/100, admitted%100))
			if p == nil {
				t.Fatal("rejected")
			}
			if d, most := f.Delay(p), 100*time.Second/time.Duration(total); d > most+time.Microsecond {
				t.Fatalf("one of 100 waiting connections waits for %v, want %v at most", d, most)
			}
			waiting = append(waiting, p)
			admitted++
		}
		if f.now.Before(waiting[0].servedAt) {
			f.now = waiting[0].servedAt
		}
		f.Leave(waiting[0])
		waiting = waiting[1:]
	}
	if want := 100 + 10*total; served < want-1 || served > want+1 {
		t.Errorf("%d connections were served in 10 s, want %d", served, want)
	}
}

// Connections that are replaced while they wait are never served, so they cost others no time.
func TestConnectionsReplacedWhileTheyWaitDoNotDelayOtherPeers(t *testing.T) {
	const conns = 1024
	f := newFixture(t, Limits{Conns: conns, ConnsPerPeer: 64})
	total := processorRate * runtime.GOMAXPROCS(0)
	networks := total/(peerRate*networkFactor) + 1 // enough to exceed the rate of all peers
	for ms := range 60_000 {
		if f.Pause() == 0 {
			if _, p := f.connect(fmt.Sprintf("2001:db8:0:%x::1", ms%networks)); p != nil {
				f.Delay(p)
			}
		}
		f.now = f.now.Add(time.Millisecond)
	}
	_, honest := f.connect("192.0.2.9")
	if honest == nil {
		t.Fatal("another peer was rejected")
	}
	if d, most := f.Delay(honest), time.Duration(conns)*time.Second/time.Duration(total); d > most {
		t.Errorf("another peer waits for %v, want %v at most", d, most)
	}
	if f.rejected == 0 {
		t.Error("no connection was replaced")
	}
}

func TestARateIsForgottenAfterMoreConnectionsThanPlaces(t *testing.T) {
	f := newFixture(t, Limits{Conns: 100, ConnsPerPeer: 2})
	for i := range maxPaced + 1 {
		for range 3 { // each is served, the last one by a permit taken ahead
			_, p := f.connect(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String())
			f.now = f.now.Add(f.Delay(p))
			f.Leave(p)
		}
	}
	f.now = f.now.Add(time.Minute)
	_, p := f.connect("192.0.2.1")
	f.Delay(p)
	if f.rates[p.from] == nil || len(f.rates) >= maxPaced {
		t.Errorf("after a minute %d rates are kept, that of a new peer: %v", len(f.rates), f.rates[p.from])
	}
}

func TestARateIsKeptOfABoundedNumberOfPeers(t *testing.T) {
	f := newFixture(t, Limits{Conns: 100, ConnsPerPeer: 10})
	for i := range 3 * maxPaced {
		_, p := f.connect(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String())
		f.Delay(p)
		f.Leave(p)
	}
	if len(f.rates) > maxPaced+1 {
		t.Errorf("%d rates are kept", len(f.rates))
	}
	f.now = f.now.Add(time.Minute)
	_, p := f.connect("192.0.2.1")
	f.Delay(p)
	if f.rates[p.from] == nil || len(f.rates) > maxPaced+1 {
		t.Errorf("after a minute %d rates are kept, that of a new peer: %v", len(f.rates), f.rates[p.from])
	}
}

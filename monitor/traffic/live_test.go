package traffic

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"sluice/monitor/history"
)

// counted is a History of hosts that send the same lines every week.
type counted struct {
	*testing.T
	halved string // host that sends half of its lines from since on
	since  int64
	gap    int64 // slot of which few minutes were observed
}

func (c *counted) Quarters(host string, from, to time.Time) (samples []history.Sample, err error) {
	for slot := from.Unix() / 900; slot <= to.Unix()/900; slot++ {
		lines := 1500 + 100*(slot%day)/day
		if host == c.halved && slot >= c.since {
			lines /= 3
		}
		s := history.Sample{Covered: 15}
		if s.ByClass[1] = lines; slot == c.gap {
			s.ByClass[1], s.Covered = 1, 3
		}
		samples = append(samples, s)
	}
	return samples, nil
}

// TestALowHostIsFoundFromItsHistory checks also a host that was low before the collector was
// started, and that a quarter of an hour with few observed minutes is not judged.
func TestALowHostIsFoundFromItsHistory(t *testing.T) {
	const start = int64(2_000_000)
	at := func(slot int64) time.Time { return time.Unix(slot*900, 0) }
	hosts := []string{"web01", "web02", "web03", "web04", "web05"}
	h := &counted{T: t, halved: "web02", since: start + 4, gap: start + 2}
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	l := NewLive(h, log)
	l.look(at(start).Add(settled), hosts)
	for slot := start; slot < start+4; slot++ {
		l.look(at(slot+1).Add(settled), hosts)
		if low := l.Low(); len(low) > 0 {
			t.Fatalf("slot %d: %v", slot-start, low)
		}
	}
	l.look(at(start+5).Add(settled-time.Second), hosts)
	if len(l.Low()) > 0 {
		t.Error("judged before it was over")
	}
	l.look(at(start+5).Add(settled), hosts)
	f, ok := l.Low()["web02"]
	if want := "sends 34 lines/min, 102 are expected: 7.7 % of the traffic of all, usually 20 %"; !ok || len(l.Low()) != 1 || f.String() != want {
		t.Errorf("%v %s", l.Low(), f.String())
	}
	if !strings.Contains(said.String(), `msg="host sends fewer lines than expected" host=web02`) {
		t.Error(said.String())
	}
	again := NewLive(h, log)
	again.look(at(start+6).Add(settled), hosts)
	if _, ok := again.Low()["web02"]; !ok {
		t.Error("not found after a restart")
	}
	h.halved = ""
	for slot := start + 6; slot < start+9; slot++ {
		l.look(at(slot+1).Add(settled), hosts)
	}
	if len(l.Low()) > 0 {
		t.Errorf("still low after it recovered: %v", l.Low())
	}
}

// TestNumbersOfAFindingHaveTwoDigits checks the text of a Finding.
func TestNumbersOfAFindingHaveTwoDigits(t *testing.T) {
	f := Finding{Lines: 2, Expected: 180.4, Share: 0.009, Usual: 0.09}
	if got := f.String(); got != "sends 2 lines/min, 180 are expected: 0.9 % of the traffic of all, usually 9 %" {
		t.Error(got)
	}
	f = Finding{Lines: 0, Expected: 0.456, Share: 0.00012, Usual: 0.0456}
	if got := f.String(); got != "sends 0 lines/min, 0.5 are expected: 0.01 % of the traffic of all, usually 4.6 %" {
		t.Error(got)
	}
}

package receiver

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sluice/ingest/avrorpc"
	"sluice/ingest/flume"
)

// sink is a Flume agent's connection.
type sink struct{ *flume.Client }

func (c *runningCollector) sink(t testing.TB) *sink {
	t.Helper()
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		t.Fatal(err)
	}
	client, err := flume.NewClient(t.Context(), conn, avrorpc.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &sink{client}
}

func (s *sink) close(t testing.TB) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// deliver sends events and fails unless they are accepted.
func (s *sink) deliver(t testing.TB, events ...flume.Event) {
	t.Helper()
	if err := s.Append(t.Context(), events); err != nil {
		t.Fatal(err)
	}
}

func event(body string, headers ...string) flume.Event {
	e := flume.Event{Body: []byte(body)}
	for i := 0; i < len(headers); i += 2 {
		e.Headers = append(e.Headers, flume.Header{Key: []byte(headers[i]), Value: []byte(headers[i+1])})
	}
	return e
}

// located returns the lines of text[from:to] as events with offsets, as TAILDIR sends them.
func located(text string, from, to int) (events []flume.Event) {
	return locatedOn("web01", text, from, to)
}

// locatedOn is located for a log of another host, which has the same path.
func locatedOn(host, text string, from, to int) (events []flume.Event) {
	at := 0
	for line := range strings.Lines(text) {
		if at >= from && at < to {
			body := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
			events = append(events, event(body, flume.HeaderHost, host, flume.HeaderFile, "/log/access.log", flume.HeaderByteOffset, strconv.Itoa(at)))
		}
		at += len(line)
	}
	return events
}

// Events that Flume sends again are recognized, and lines of another file with the same name are
// not mistaken for them.
func TestEventsThatFlumeSendsAgainAreRecognized(t *testing.T) {
	old, fresh := lines(0, 100), lines(100, 100)
	half := strings.Index(old, "GET /50 ") // within a line
	for name, test := range map[string]struct {
		sends [][]flume.Event
		want  string
	}{
		"the same batch":                       {[][]flume.Event{located(old, 0, half), located(old, 0, half), located(old, half, len(old))}, old},
		"in other batches":                     {[][]flume.Event{located(old, 0, half), located(old, half/2, len(old))}, old},
		"from the beginning":                   {[][]flume.Event{located(old, 0, len(old)), located(old, 0, len(old))}, old},
		"after the rotation":                   {[][]flume.Event{located(old, 0, len(old)), located(fresh, 0, half), located(old, half, len(old)), located(fresh, half, len(fresh))}, old + fresh},
		"with the rotation in it":              {[][]flume.Event{located(old, 0, half), append(located(old, half, len(old)), located(fresh, 0, half)...), append(located(old, half, len(old)), located(fresh, 0, half)...), located(fresh, half, len(fresh))}, old + fresh},
		"in no order":                          {[][]flume.Event{located(old, half, len(old)), located(old, 0, half), located(old, half, len(old))}, old},
		"the first line of a rotated log lost": {[][]flume.Event{located(old, 0, len(old)), located(fresh, 60, len(fresh)), located(fresh, 60, len(fresh))}, old + fresh[strings.Index(fresh, "\n")+1:]},
		"carriage returns":                     {[][]flume.Event{located(strings.ReplaceAll(old, "\n", "\r\n"), 0, 1<<20), located(strings.ReplaceAll(old, "\n", "\r\n"), 0, 1<<20)}, old},
		"the middle of a log":                  {[][]flume.Event{located(old, half, len(old)), located(old, half, len(old))}, after(old, half)},
	} {
		for _, life := range []string{"one life", "a life each", "a clean stop after each"} {
			t.Run(name+", "+life, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "c1")
				c := collect(t, dir, "127.0.0.1:0", 0)
				for _, events := range test.sends {
					if life != "one life" {
						c.end(t, life == "a life each")
						c = collect(t, dir, c.address, 0)
					}
					s := c.sink(t)
					s.deliver(t, events...)
					s.close(t)
				}
				c.end(t, false)
				c.holds(t, test.want)
			})
		}
	}
}

// A batch with the end of one log and the beginning of the next is sent again on the same
// connection. The old lines are recognized although they have the offsets at which the new log
// continues.
func TestTheEndOfARotatedLogIsRecognizedAtTheOffsetsOfTheNext(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	s := c.sink(t)
	old, fresh := lines(100, 20), lines(200, 20)
	cut := len(lines(100, 10))
	s.deliver(t, located(old, 0, cut)...)
	both := append(located(old, cut, len(old)), located(fresh, 0, cut)...)
	for range 3 {
		s.deliver(t, both...)
	}
	s.deliver(t, located(fresh, cut, len(fresh))...)
	s.close(t)
	c.end(t, false)
	c.holds(t, old+fresh)
}

// after returns the text behind the line that contains byte at.
func after(text string, at int) string { return text[at+strings.Index(text[at:], "\n")+1:] }

// Events without an offset are numbered and all stored, also if two are equal. An event with an
// invalid offset is treated in the same way.
func TestEventsWithoutAnOffsetAreNumbered(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c1")
	c := collect(t, dir, "127.0.0.1:0", 0)
	var events []flume.Event
	want := ""
	for i, headers := range [][]string{
		{}, {flume.HeaderHost, "web01"}, {flume.HeaderFile, "/a.log"}, {flume.HeaderByteOffset, "5"},
		{flume.HeaderFile, "/a.log", flume.HeaderByteOffset, "-1"}, {flume.HeaderFile, "/a.log", flume.HeaderByteOffset, "x"},
		{flume.HeaderFile, "/a.log", flume.HeaderByteOffset, "99999999999999999999"}, {flume.HeaderFile, "/a.log", flume.HeaderByteOffset, "281474976710655"},
	} {
		line := lines(i, 1)
		events = append(events, event(strings.TrimSuffix(line, "\n"), headers...))
		want += line
	}
	for range 2 {
		s := c.sink(t)
		s.deliver(t, events...)
		s.deliver(t, event("")) // an empty line is also an event
		s.close(t)
		c.end(t, true)
		c = collect(t, dir, c.address, 0)
	}
	c.end(t, false)
	c.holds(t, want+want+"\n\n")
	for _, x := range c.receiver.cfg.Checkpoint.Streams() {
		if x.Host != "web01" && x.Host != "127.0.0.1" {
			t.Errorf("unexpected stream of host %s", x.Host)
		}
	}
}

// With a full spool Flume's events are rejected with a reason, and accepted later when they are
// sent again.
func TestAFullSpoolMakesFlumeWait(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 4<<10)
	c.shut.Store(true)
	s := c.sink(t)
	defer s.close(t)
	text := lines(0, 5000)
	sent, refused := 0, error(nil)
	for refused == nil {
		if refused = s.Append(t.Context(), located(text, sent, sent+20_000)); refused == nil {
			sent += 20_000
		}
	}
	if !strings.Contains(refused.Error(), "--spool-max") {
		t.Errorf("reported reason: %v", refused)
	}
	c.shut.Store(false)
	for ; sent < len(text); sent += 20_000 {
		await(t, "room", func() bool { return s.Append(t.Context(), located(text, sent, sent+20_000)) == nil })
	}
	c.end(t, false)
	c.holds(t, text)
}

// Both protocols use one port at the same time, and neither gets the other's lines.
func TestBothProtocolsHaveOnePort(t *testing.T) {
	logs := t.TempDir()
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	write(t, logs, "a.log", lines(0, 3000))
	agent := follow(t, logs, c.address)
	text := lines(3000, 3000)
	s := c.sink(t)
	for at := 0; at < len(text); at += 10_000 {
		s.deliver(t, located(text, at, at+10_000)...)
	}
	c.received(t, agent, 6000)
	for _, h := range c.receiver.Hosts() {
		if h.Name != "web01" || h.Connections != 2 {
			t.Errorf("%+v", h)
		}
	}
	s.close(t)
	agent.end(t)
	c.end(t, false)
	c.holds(t, lines(0, 6000))
}

// The host of an event is that of the certificate, if there is one.
func TestAnEventsHostIsThatOfTheCertificate(t *testing.T) {
	for _, test := range []struct {
		names              []string
		header, host, want string
	}{
		{nil, "web02", "web02", ""},
		{nil, "", "192.0.2.7", ""},
		{nil, "web/02", "", "slash"},
		{[]string{"web01"}, "", "web01", ""},
		{[]string{"web01"}, "WEB01", "web01", ""},
		{[]string{"web01"}, "web02", "", "may not write streams of host web02"},
	} {
		c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
		s := &flumeSession{Receiver: c.receiver, hosts: map[string]bool{}, peer: avrorpc.Peer{Address: netip.MustParseAddrPort("192.0.2.7:5"), TLS: test.names != nil, Names: test.names}}
		host, err := s.hostOf([]byte(test.header))
		if host != test.host || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %s, %v", test, host, err)
		}
		s.Close()
		c.end(t, false)
	}
}

// A message that is not a valid event ends its connection and no other.
func TestAnInvalidEventEndsTheConnection(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	honest := c.sink(t)
	for name, params := range map[string][]byte{
		"nothing":           {},
		"a million of none": {0x80, 0x89, 0x7a},
		"a negative length": {2, 0, 1},
		"a long header":     append([]byte{2, 2}, bytes.Repeat([]byte{0xff}, 9)...),
		"bytes behind":      {0, 0, 0},
	} {
		hostile := c.sink(t)
		if _, err := hostile.Call(t.Context(), "appendBatch", nil, params, nil); err == nil {
			t.Errorf("%s is accepted", name)
		}
		hostile.close(t)
	}
	long := event("x", flume.HeaderHost, "web01", flume.HeaderFile, "/"+strings.Repeat("x", 65_000), flume.HeaderByteOffset, "0")
	if err := honest.Append(t.Context(), []flume.Event{long}); err == nil || !strings.Contains(err.Error(), "the archive has room for") {
		t.Errorf("a name that is too long for the archive: %v", err)
	}
	honest.deliver(t, located(lines(0, 10), 0, 1<<20)...)
	honest.close(t)
	c.end(t, false)
	c.holds(t, fmt.Sprint(lines(0, 10)))
}

// An agent that uses Flume's protocol waits for a busy collector, and what it sends again to a
// restarted one is recognized by its offset.
func TestAnAgentSpeaksFlume(t *testing.T) {
	dir, logs := filepath.Join(t.TempDir(), "c1"), t.TempDir()
	c := collect(t, dir, "127.0.0.1:0", 4<<10)
	c.shut.Store(true)
	write(t, logs, "a.log", lines(0, 5000))
	s := followAs(t, logs, true, []string{c.address})
	await(t, "busy, with the reason", func() bool { return strings.Contains(s.State().Busy, "--spool-max") })
	c.end(t, true)
	c = collect(t, dir, c.address, 0)
	write(t, logs, "a.log", lines(5000, 5000))
	text := int64(len(lines(0, 10_000)))
	await(t, "all of it", func() bool { return len(s.file.Streams()) == 1 && s.file.Stored(s.file.Streams()[0]) == text })
	s.end(t)
	c.end(t, false)
	c.holds(t, lines(0, 10_000))
}

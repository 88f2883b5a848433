package message

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/monitor"
)

// recorder is a Sender that keeps what is sent. Send returns err.
type recorder struct {
	name string
	sent []Message
	err  error
}

func (r *recorder) Name() string { return r.name }

func (r *recorder) Send(_ context.Context, m *Message) error {
	if r.err == nil {
		r.sent = append(r.sent, *m)
	}
	return r.err
}

// world is a Messenger whose clock the test sets.
type world struct {
	*Messenger
	now    time.Time
	to     *recorder
	ping   *recorder
	saved  []byte
	levels map[string]monitor.Level
	acked  map[string]string
}

func newWorld(saved []byte) *world {
	w := &world{now: time.Unix(1_800_000_000, 0), to: &recorder{name: "test"}, ping: &recorder{name: "ping"}, levels: map[string]monitor.Level{"": monitor.Okay}, acked: map[string]string{}, saved: saved}
	w.restart()
	return w
}

func (w *world) restart() {
	w.Messenger = New(Config{Senders: []Sender{w.to}, Ping: w.ping, Process: "collector on c1", Wait: 30 * time.Second, Saved: w.saved,
		Save: func(s []byte) { w.saved = s }, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now }})
}

func (w *world) pass(d time.Duration) {
	step := time.Second
	if d > 10*time.Minute {
		step = 20 * time.Second
	}
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(step) {
		h := monitor.Health{Metrics: map[string]monitor.Host{}}
		for name, level := range w.levels {
			if name != "" {
				x := monitor.Host{Status: level}
				if level != monitor.Okay {
					x.Problems = []monitor.Problem{{Kind: monitor.Silent, Level: level, Text: "silent"}}
				}
				h.Metrics[name] = x
			}
		}
		h.Process.Problems = w.Problems()
		states := StatesOf(&h)
		for i := range states {
			states[i].Acknowledged = w.acked[states[i].Host]
		}
		w.Offer(states)
		w.step(context.Background(), 0)
		w.stepPing(context.Background())
	}
}

// sentTexts returns the texts of the messages since the last call.
func (w *world) sentTexts() (texts []string) {
	for _, m := range w.to.sent {
		var parts []string
		for _, c := range m.Changes {
			parts = append(parts, fmt.Sprintf("%s %s", c.Host, c.Level))
		}
		text := strings.Join(parts, ", ")
		if m.More > 0 {
			text += fmt.Sprintf(" +%d", m.More)
		}
		if m.Reminder {
			text = "again: " + text
		}
		texts = append(texts, text)
	}
	w.to.sent = nil
	return texts
}

func (w *world) want(t *testing.T, when string, want ...string) {
	t.Helper()
	if got := w.sentTexts(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", append([]string(nil), want...)) {
		t.Errorf("%s: %q, want %q", when, got, want)
	}
}

// TestChangesAreSentOnceInOneMessage: a problem that lasts is sent again once a day, also after
// a restart.
func TestChangesAreSentOnceInOneMessage(t *testing.T) {
	w := newWorld(nil)
	w.levels["web01"], w.levels["web02"] = monitor.Okay, monitor.Okay
	w.pass(time.Hour)
	w.want(t, "all is well")
	w.levels["web01"] = monitor.Failing
	w.pass(20 * time.Second)
	w.levels["web02"] = monitor.Warn
	w.pass(9 * time.Second)
	w.want(t, "within the time for others to join")
	w.pass(time.Minute)
	w.want(t, "two hosts", "web01 ERROR, web02 WARN")
	w.levels["web02"] = monitor.Failing
	w.pass(5 * time.Second)
	w.levels["web02"] = monitor.Warn
	w.pass(2 * time.Minute)
	w.want(t, "a host that was worse for a moment")
	w.restart()
	w.pass(2 * time.Minute)
	w.want(t, "a restart")
	w.levels["web02"] = monitor.Okay
	w.pass(2 * time.Minute)
	w.want(t, "one is well again", "web02 OKAY")
	w.pass(23 * time.Hour)
	w.want(t, "most of a day")
	w.pass(time.Hour)
	w.want(t, "a day", "again: web01 ERROR")
	w.restart()
	w.pass(23 * time.Hour)
	w.want(t, "a restart after it")
	w.acked["web01"] = "acknowledged"
	w.pass(48 * time.Hour)
	w.want(t, "an acknowledged host")
	delete(w.levels, "web01")
	w.pass(time.Minute)
	w.want(t, "a host that is not watched any more", "web01 OKAY")
}

// TestTheStateSavedLastHasWhatAllChannelsSent: while the first of two channels saves its state, the
// second one sends its message.
func TestTheStateSavedLastHasWhatAllChannelsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		channels := []Sender{&recorder{name: "first"}, &recorder{name: "second"}}
		var m *Messenger
		var saved []byte
		interrupted := false
		m = New(Config{Senders: channels, Log: slog.New(slog.DiscardHandler), Save: func(state []byte) {
			if !interrupted {
				interrupted = true
				go m.step(t.Context(), 1)
				synctest.Wait() // it has saved its state, or waits until this call returns
			}
			saved = state
		}})
		m.Offer([]State{{Host: "web01", Level: monitor.Failing, Problems: []monitor.Problem{monitor.Silent.New("silent")}}})
		m.step(t.Context(), 0)
		synctest.Wait()
		for _, c := range channels {
			if len(c.(*recorder).sent) != 1 || !strings.Contains(string(saved), `"`+c.Name()+`":{"web01"`) {
				t.Errorf("the state saved last lacks the message of channel %s: %s", c.Name(), saved)
			}
		}
	})
}

// TestFailureOf100HostsIsOneMessage: there is at most one message a minute.
func TestFailureOf100HostsIsOneMessage(t *testing.T) {
	w := newWorld(nil)
	for i := range 100 {
		w.levels[fmt.Sprintf("web%03d", i)] = monitor.Okay
	}
	w.pass(time.Hour)
	for i := range 100 {
		w.levels[fmt.Sprintf("web%03d", i)] = monitor.Failing
		if i%10 == 0 {
			w.pass(time.Second)
		}
	}
	w.pass(10 * time.Minute)
	got := w.sentTexts()
	if len(got) != 1 || !strings.HasPrefix(got[0], "web000 ERROR, web001 ERROR") || !strings.HasSuffix(got[0], "web049 ERROR +50") {
		t.Errorf("%q", got)
	}
	for i := range 60 { // a change at every step
		w.levels["web000"] = []monitor.Level{monitor.Okay, monitor.Failing}[i%2]
		w.pass(31 * time.Second)
	}
	if n := len(w.sentTexts()); n > 31 {
		t.Errorf("%d messages in 31 minutes", n)
	}
}

// TestFailingChannelIsAProblem: the channel does not report its own failure, and sends its
// message when it has recovered.
func TestFailingChannelIsAProblem(t *testing.T) {
	w := newWorld(nil)
	w.levels["web01"] = monitor.Failing
	w.to.err = errors.New("connection refused")
	w.pass(10 * time.Minute)
	p := w.Problems()
	if len(p) != 1 || p[0].Kind != monitor.MessageUnsent || p[0].Level != monitor.Warn || !strings.Contains(p[0].Text, "9 attempts: connection refused") {
		t.Errorf("%v", p)
	}
	w.restart()
	w.to.err = nil
	w.pass(2 * time.Minute)
	w.want(t, "it can be sent again", "web01 ERROR")
	if p := w.Problems(); p != nil {
		t.Error(p)
	}
}

// TestRemindersAreSentAfterAClockWasAhead checks that a message whose time is in the future, as it was
// saved by a clock that was ahead, does not end reminders.
func TestRemindersAreSentAfterAClockWasAhead(t *testing.T) {
	w := newWorld(nil)
	w.now = w.now.Add(365 * 24 * time.Hour)
	w.levels["web01"] = monitor.Failing
	w.pass(2 * time.Minute)
	w.want(t, "by the clock that is ahead", "web01 ERROR")
	w.now = w.now.Add(-365 * 24 * time.Hour)
	w.restart()
	w.pass(2 * time.Minute)
	w.want(t, "by the corrected clock", "again: web01 ERROR")
}

// TestFailureOfAChannelEndsThoughWhatItCouldNotSendIsOver checks that a channel is tried until it works,
// also if the host whose failure could not be sent is well again.
func TestFailureOfAChannelEndsThoughWhatItCouldNotSendIsOver(t *testing.T) {
	w := newWorld(nil)
	w.pass(time.Minute)
	w.levels["web01"], w.to.err = monitor.Failing, errors.New("connection refused")
	w.pass(2 * time.Minute)
	w.levels["web01"] = monitor.Okay
	w.pass(5 * time.Minute)
	if p := w.Problems(); len(p) != 1 || !strings.Contains(p[0].Text, "7 attempts") {
		t.Errorf("%v", p)
	}
	w.to.err = nil
	w.pass(10 * time.Minute)
	w.want(t, "the channel works again", " OKAY")
	if p := w.Problems(); p != nil {
		t.Error(p)
	}
}

// TestPingEndsIfNothingIsKnown checks that a process whose reports hang is not pinged for.
func TestPingEndsIfNothingIsKnown(t *testing.T) {
	w := newWorld(nil)
	w.pass(10 * time.Minute)
	before := len(w.ping.sent)
	for range 600 {
		w.now = w.now.Add(time.Second)
		w.stepPing(context.Background())
	}
	if n := len(w.ping.sent) - before; n < 1 || n > 3 {
		t.Errorf("%d pings in the 10 minutes after the last report", n)
	}
	w.pass(time.Minute)
	if n := len(w.ping.sent) - before; n < 2 || n > 4 {
		t.Errorf("%d pings after reports are back", n)
	}
}

// TestPingIsSentEachMinuteWhileThereIsNoError checks that an error stops the pings.
func TestPingIsSentEachMinuteWhileThereIsNoError(t *testing.T) {
	w := newWorld(nil)
	w.levels["web01"] = monitor.Warn
	w.pass(10 * time.Minute)
	if n := len(w.ping.sent); n != 10 {
		t.Errorf("%d pings in 10 minutes", n)
	}
	w.levels["web01"] = monitor.Failing
	w.pass(time.Hour)
	if n := len(w.ping.sent); n != 10 {
		t.Errorf("%d pings after an error", n)
	}
	w.levels["web01"], w.ping.err = monitor.Okay, errors.New("no route")
	w.pass(time.Minute)
	if p := w.Problems(); len(p) != 1 || !strings.Contains(p[0].Text, "no route") {
		t.Error(p)
	}
}

func example() *Message {
	return &Message{At: time.Unix(1_800_000_000, 0), Process: "collector on c1", Changes: []Change{
		{State{Host: "web01\r\nBcc: x", Level: monitor.Failing, Problems: []monitor.Problem{monitor.Silent.New("silent for\r\n.\r\n5m \x1b[2J")}}, monitor.Okay, time.Unix(1_799_999_000, 0)},
		{State{Host: "web02", Level: monitor.Okay}, monitor.Warn, time.Unix(1_800_000_000, 0)},
	}}
}

// TestWebhookFormats checks the JSON with the text for chat services, the alerts for an
// Alertmanager, and a ping.
func TestWebhookFormats(t *testing.T) {
	var method, body string
	code := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body) //nolint:errcheck // the test sees it
		method, body = r.Method, string(b)
		w.WriteHeader(code)
	}))
	defer server.Close()
	hook := Webhook{URL: server.URL + "/secret", Client: server.Client()}
	if err := hook.Send(t.Context(), example()); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Version int
		Text    string
		Hosts   []struct{ Host, Level, Was string }
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || method != "POST" || got.Version != 1 || len(got.Hosts) != 2 || got.Hosts[1].Was != "WARN" || !strings.HasPrefix(got.Text, "sluice ERROR: web01") {
		t.Errorf("%v: %s", err, body)
	}
	hook.Alertmanager = true
	if err := hook.Send(t.Context(), example()); err != nil {
		t.Fatal(err)
	}
	var alerts []alert
	if err := json.Unmarshal([]byte(body), &alerts); err != nil || len(alerts) != 2 || alerts[0].Labels["severity"] != "critical" || !alerts[0].EndsAt.After(example().At) || alerts[1].EndsAt.After(example().At) {
		t.Errorf("%v: %s", err, body)
	}
	ping := Webhook{URL: server.URL, Ping: true, Client: server.Client()}
	if err := ping.Send(t.Context(), example()); err != nil || method != "GET" || body != "" {
		t.Errorf("%v: %s %q", err, method, body)
	}
	code = http.StatusForbidden
	if err := hook.Send(t.Context(), example()); err == nil || !strings.Contains(err.Error(), "403") {
		t.Error(err)
	}
	server.Close()
	if err := hook.Send(t.Context(), example()); err == nil || strings.Contains(err.Error()+hook.Name(), "secret") {
		t.Errorf("%s: %v", hook.Name(), err)
	}
}

// TestMailIsSentThroughSTARTTLS checks also that text from a host cannot add a header or an SMTP
// command.
func TestMailIsSentThroughSTARTTLS(t *testing.T) {
	server, pool := newSMTP(t, true)
	mail := Mail{Server: server.address, From: "sluice@c1", To: []string{"ops@example.com", "two@example.com"}, TLS: &tls.Config{RootCAs: pool}}
	if err := mail.Send(t.Context(), example()); err != nil {
		t.Fatal(err)
	}
	got := <-server.mails
	head, body, _ := strings.Cut(got, "\r\n\r\n")
	if !strings.Contains(head, "secured") || strings.Count(head, "\r\nSubject: ") != 1 || strings.Contains(head, "\r\nBcc") || !strings.Contains(body, "web02: OKAY (was WARN)") || strings.Contains(body, "\x1b") || strings.Contains(body, "\r\n.\r\n5m") {
		t.Errorf("%s", got)
	}
	mail.TLS = nil // the certificate of a server on this machine may be self-signed
	if err := mail.Send(t.Context(), example()); err != nil {
		t.Error(err)
	}
	mail.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
	if err := mail.Send(t.Context(), example()); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("certificate of an unknown authority: %v", err)
	}
}

// smtpServer is a mail server that keeps the mails it receives.
type smtpServer struct {
	address string
	config  *tls.Config
	mails   chan string
}

func newSMTP(t *testing.T, secured bool) (*smtpServer, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &smtpServer{l.Addr().String(), &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, make(chan string, 4)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.serve(conn, secured)
			conn.Close() //nolint:errcheck // the client has closed it
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return s, pool
}

func (s *smtpServer) serve(conn net.Conn, offered bool) {
	in := bufio.NewReader(conn)
	say := func(text string) { io.WriteString(conn, text+"\r\n") } //nolint:errcheck // the client sees it
	say("220 test")
	head := ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.TrimSpace(line)); {
		case strings.HasPrefix(verb, "EHLO") && offered && head == "":
			say("250-test\r\n250 STARTTLS")
		case verb == "STARTTLS":
			say("220 go")
			t := tls.Server(conn, s.config)
			if t.Handshake() != nil {
				return
			}
			conn, in, head = t, bufio.NewReader(t), "secured"
		case verb == "DATA":
			say("354 go")
			var b strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				b.WriteString(line)
			}
			s.mails <- head + "\r\n" + b.String()
			say("250 ok")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

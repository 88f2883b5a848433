package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"sluice/monitor"
	"sluice/monitor/message"
)

// messageFlags configure the recipients of messages about changes of level.
type messageFlags struct {
	WebhookURL       string        `placeholder:"URL" help:"Post a JSON message here when the level of a host changes, or of the process; grouped, at most one a minute, repeated daily while it lasts."`
	WebhookFormat    string        `default:"json" enum:"json,alertmanager" help:"json, which has a field text that chat programs show, or alertmanager, for an address such as http://alertmanager:9093/api/v2/alerts."`
	MailTo           []string      `placeholder:"ADDRESS" help:"Send the same messages by mail to these addresses."`
	MailFrom         string        `placeholder:"ADDRESS" help:"Sender of these mails (default: sluice@HOST)."`
	SMTP             string        `name:"smtp" default:"127.0.0.1:25" placeholder:"HOST:PORT" help:"Mail server. STARTTLS is used, and required and verified unless the server is on this machine."`
	SMTPUser         string        `name:"smtp-user" placeholder:"NAME" help:"User name at the mail server."`
	SMTPPasswordFile string        `name:"smtp-password-file" type:"path" placeholder:"FILE" help:"File with the password of --smtp-user."`
	PingURL          string        `placeholder:"URL" help:"Ask for this address once a minute while there is no error: a service there reports when the requests stop."`
	MessageWait      time.Duration `default:"30s" placeholder:"TIME" help:"Time after a change in which other changes join its message."`
}

// maxPasswordBytes is the limit of bytes that are read from a password file.
const maxPasswordBytes = 4096

func (f *messageFlags) check() error {
	for flag, text := range map[string]string{"--webhook-url": f.WebhookURL, "--ping-url": f.PingURL} {
		if u, err := url.Parse(text); text != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return usage("%s must be an address such as https://example.com/path", flag)
		}
	}
	for _, address := range append([]string{f.MailFrom}, f.MailTo...) {
		if a, err := mail.ParseAddress(address); address != "" && (err != nil || a.Address != address) {
			return usage("--mail-to, --mail-from: %q is not an address such as ops@example.com", address)
		}
	}
	if len(f.MailTo) > 0 {
		if _, _, err := net.SplitHostPort(f.SMTP); err != nil {
			return usage("--smtp %s: %w", f.SMTP, err)
		}
	}
	if f.MessageWait < 0 {
		return usage("--message-wait must not be negative")
	}
	_, err := f.password()
	return err
}

func (f *messageFlags) password() (password string, err error) {
	if (f.SMTPUser == "") != (f.SMTPPasswordFile == "") {
		return "", usage("--smtp-user and --smtp-password-file must be given together")
	}
	if f.SMTPUser == "" {
		return "", nil
	}
	file, err := os.OpenFile(f.SMTPPasswordFile, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", usage("--smtp-password-file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	b, err := io.ReadAll(io.LimitReader(file, maxPasswordBytes))
	return strings.TrimRight(string(b), "\r\n"), err
}

// messenger starts sending messages. end stops it and waits until it has stopped. The messenger is
// nil if no flag names a recipient.
func (f *messageFlags) messenger(a *app, w *watching, kind monitor.Kind, host string) (m *message.Messenger, end func(), err error) {
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: 2 * time.Minute, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}}
	cfg := message.Config{Process: string(kind) + " on " + host, Wait: f.MessageWait, Saved: w.file.Messages(), Save: w.file.SetMessages, Log: a.log}
	if f.WebhookURL != "" {
		cfg.Senders = append(cfg.Senders, &message.Webhook{URL: f.WebhookURL, Alertmanager: f.WebhookFormat == "alertmanager", Client: client})
	}
	if len(f.MailTo) > 0 {
		password, err := f.password()
		if err != nil {
			return nil, nil, err
		}
		from := f.MailFrom
		if from == "" {
			from = "sluice@" + host
		}
		cfg.Senders = append(cfg.Senders, &message.Mail{Server: f.SMTP, From: from, To: f.MailTo, User: f.SMTPUser, Password: password})
	}
	if f.PingURL != "" {
		cfg.Ping = &message.Webhook{URL: f.PingURL, Ping: true, Client: client}
	}
	if len(cfg.Senders) == 0 && cfg.Ping == nil {
		return nil, func() {}, nil
	}
	m = message.New(cfg)
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Run(ctx)
	}()
	return m, func() { cancel(); <-done; client.CloseIdleConnections() }, nil
}

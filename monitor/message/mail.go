package message

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/smtp"
	"strings"
	"time"
)

// Mail sends messages by SMTP. STARTTLS is required unless the server's address is a loopback
// address.
type Mail struct {
	Server string // host:port
	From   string
	To     []string
	// User and Password are the credentials of the SMTP log-in. User "": no log-in.
	User, Password string
	// TLS contains the accepted authorities of the server's certificate. nil: the system's.
	TLS *tls.Config
}

// Name returns the receivers, for logs and status.
func (m *Mail) Name() string { return "mail " + strings.Join(m.To, ", ") }

// Send implements Sender. It takes at most sendTimeout.
func (m *Mail) Send(ctx context.Context, x *Message) (err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.Server)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // Quit closes it too
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(m.Server)
	if err != nil {
		return err
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	if err := m.secure(c, conn, host); err != nil {
		return err
	}
	if err := c.Mail(m.From); err != nil {
		return fmt.Errorf("sender %s: %w", m.From, err)
	}
	for _, to := range m.To {
		if err := c.Rcpt(to); err != nil {
			return fmt.Errorf("receiver %s: %w", to, err)
		}
	}
	w, err := c.Data()
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if _, err := w.Write(m.text(x)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return c.Quit()
}

// secure begins TLS and logs in.
func (m *Mail) secure(c *smtp.Client, conn net.Conn, host string) error {
	offered, _ := c.Extension("STARTTLS")
	address, ok := conn.RemoteAddr().(*net.TCPAddr)
	local := ok && address.IP.IsLoopback()
	if offered {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if m.TLS != nil {
			config = m.TLS.Clone()
		}
		config.ServerName = host
		// The certificate of a mail server on this machine is usually self-signed (Debian's is), and
		// a connection without TLS is accepted, too.
		config.InsecureSkipVerify = config.InsecureSkipVerify || local && m.TLS == nil
		if err := c.StartTLS(config); err != nil {
			return fmt.Errorf("STARTTLS: %w", err)
		}
	} else if !local {
		return errors.New("the server offers no STARTTLS")
	}
	if m.User == "" {
		return nil
	}
	if err := c.Auth(smtp.PlainAuth("", m.User, m.Password, host)); err != nil {
		return fmt.Errorf("log-in: %w", err)
	}
	return nil
}

// text returns the mail with its header. The body cannot be read as SMTP commands:
// quoted-printable limits the length of lines, and Client.Data escapes dots.
func (m *Mail) text(x *Message) []byte {
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	header("From", m.From)
	header("To", strings.Join(m.To, ", "))
	header("Subject", mime.QEncoding.Encode("utf-8", x.subject()))
	header("Date", x.At.UTC().Format(time.RFC1123Z))
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	w.Write([]byte(x.text())) //nolint:errcheck // it goes to memory
	w.Close()                 //nolint:errcheck // it goes to memory
	return b.Bytes()
}

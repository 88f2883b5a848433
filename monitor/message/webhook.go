package message

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"sluice/monitor"
)

// sendTimeout is the time limit of one message.
const sendTimeout = 20 * time.Second

// Webhook sends messages to a URL by POST.
type Webhook struct {
	URL string
	// Alertmanager is true if the URL is the /api/v2/alerts of a Prometheus Alertmanager.
	Alertmanager bool
	// Ping is true if the URL is only requested, with GET and without the message.
	Ping   bool
	Client *http.Client
}

// Name returns the URL without its path and query, which often contain a secret.
func (w *Webhook) Name() string {
	kind := "webhook "
	if w.Ping {
		kind = "ping address "
	}
	u, err := url.Parse(w.URL)
	if err != nil {
		return kind
	}
	return kind + u.Scheme + "://" + u.Host
}

// Send implements Sender. It takes at most sendTimeout. Errors do not contain the URL.
func (w *Webhook) Send(ctx context.Context, m *Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	method, body := http.MethodPost, any(envelope{Version: 1, Text: m.subject() + "\n" + m.text(), Message: m})
	if w.Alertmanager {
		body = alerts(m)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if w.Ping {
		method, text = http.MethodGet, nil
	}
	request, err := http.NewRequestWithContext(ctx, method, w.URL, bytes.NewReader(text))
	if err != nil {
		return errors.New("the address cannot be used")
	}
	if !w.Ping {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("User-Agent", "sluice")
	answer, err := w.Client.Do(request)
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err // without the URL, which may contain a secret
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()                                //nolint:errcheck // it was read
	io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) //nolint:errcheck // so that the connection is used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	return nil
}

// envelope is the JSON of a message. Chat services show the field text.
type envelope struct {
	Version int    `json:"version"`
	Text    string `json:"text"`
	*Message
}

// alert is an alert in the format of the Alertmanager's API v2.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// alerts returns one alert for each host and level: their labels identify an alert, so its end
// must have the labels of its start.
func alerts(m *Message) []alert {
	all := []alert{}
	for _, c := range m.Changes {
		if c.Was != c.Level && c.Was != monitor.Okay {
			all = append(all, newAlert(m, &c, c.Was, m.At))
		}
		if c.Level != monitor.Okay {
			all = append(all, newAlert(m, &c, c.Level, m.At.Add(remindAfter+2*time.Hour)))
		}
	}
	return all
}

func newAlert(m *Message, c *Change, level monitor.Level, ends time.Time) alert {
	severity, starts := "warning", c.Since
	if level == monitor.Failing {
		severity = "critical"
	}
	if level != c.Level {
		starts = ends.Add(-time.Second)
	}
	a := alert{
		Labels:   map[string]string{"alertname": "SluiceHost", "host": clean(c.name()), "severity": severity, "instance": clean(m.Process)},
		StartsAt: starts, EndsAt: ends,
	}
	if level == c.Level {
		one := Message{At: m.At, Process: m.Process, Changes: []Change{*c}}
		a.Annotations = map[string]string{"summary": one.subject(), "description": one.text()}
	}
	return a
}

package main

// flumeFlags configure how a collector parses lines from Flume's agents, which, unlike sluice
// agents, do not send the format.
type flumeFlags struct {
	Format             string `default:"auto" placeholder:"F" help:"LogFormat string or name of the lines that Flume agents send: auto (recognized from a file's first lines), ${formats}."`
	Timezone           string `placeholder:"ZONE" help:"Time zone of times without one in what Flume agents send (default UTC)."`
	WithoutCertificate bool   `help:"With TLS: accept Flume's events from senders without a client certificate, which Flume 1.11 cannot present. Any client that reaches the port can then write Flume's lines under any host's name."`
}

// text checks the flags and returns the format's text.
func (f flumeFlags) text() (string, error) {
	text, _, err := formatFlags{Format: f.Format, Timezone: f.Timezone}.text()
	return text, err
}

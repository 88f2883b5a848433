package main

// flumeFlags say how a collector takes what Flume's agents send: unlike ours, they do
// not say how lines are read.
type flumeFlags struct {
	Format             string `default:"auto" placeholder:"F" help:"LogFormat string or name of what Flume's agents send: auto (looks at a file's first lines), ${formats}."`
	Timezone           string `placeholder:"ZONE" help:"Zone of times that say none in what Flume's agents send (default UTC)."`
	WithoutCertificate bool   `help:"With TLS: take Flume's events from senders that show no certificate, as Flume 1.11 cannot. Whoever reaches the port can then write Flume's lines under any host's name."`
}

// text is the format, checked.
func (f flumeFlags) text() (string, error) {
	text, _, err := formatFlags{Format: f.Format, Timezone: f.Timezone}.text()
	return text, err
}

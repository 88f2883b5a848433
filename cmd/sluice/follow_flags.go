package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"

	"sluice/ingest/tail"
)

// followFlags select the logs to follow and limit the use of the host's resources.
type followFlags struct {
	apacheFlags
	Source    []source          `sep:"none" placeholder:"SPEC" help:"A source with a format and labels of its own, in YAML: {path: /log/shop/*.log, format: combined, timezone: Europe/Berlin, labels: {site: shop}}. May be repeated."`
	Label     map[string]string `placeholder:"NAME=VALUE" help:"A label of all logs. It is stored with each stream, can be queried with scan --label, and used in --archive as %{label:NAME}."`
	FromStart bool              `help:"Read the logs that exist at the first start from their beginning (default)."`
	FromEnd   bool              `help:"Read the logs that exist at the first start from their end. Logs that are created later are read whole."`
	Latency   time.Duration     `placeholder:"TIME" help:"Polling interval of growing logs (default: 200ms to 2s, by their number)."`
	CPU       percent           `name:"cpu" default:"5" placeholder:"PERCENT" help:"CPU limit of following, parsing and compressing, in percent of one core; 0 is no limit."`
	CatchUp   bool              `help:"Exceed --cpu while unread lines are about to be deleted (--min-margin)."`
	MinMargin time.Duration     `default:"1h" placeholder:"TIME" help:"Warn when the time between reading lines and their deletion by rotation is less than this; 0 is never."`
	NoNice    bool              `help:"Keep the priority of the start, and use all cores. Default: nice 19, lowest I/O priority, one core."`
	Trace     string            `hidden:"" type:"path" placeholder:"FILE" help:"Write the governor's decisions to this file, a CSV row a step."`
}

// source is the value of one --source.
type source struct {
	Path     string            `json:"path"`
	Format   string            `json:"format"`
	Timezone string            `json:"timezone"`
	Labels   map[string]string `json:"labels"`
}

// Decode implements kong.MapperValue for YAML on the command line.
func (s *source) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("source", &text); err != nil {
		return err
	}
	var m map[string]any
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		return fmt.Errorf("%q is not {path: …, format: …, labels: {…}}: %w", text, err)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return s.UnmarshalJSON(b)
}

// UnmarshalJSON decodes a source from the command line (through Decode) or from a configuration
// file. An unknown key is an error.
func (s *source) UnmarshalJSON(b []byte) error {
	type plain source
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode((*plain)(s)); err != nil {
		return fmt.Errorf("source %s: %w", b, err)
	}
	if s.Path == "" {
		return fmt.Errorf("source %s: path is missing", b)
	}
	return nil
}

// sources returns the logs to follow. Without any, and without --apache-conf, it returns an error.
func (f *followFlags) sources(files, exclude []string, format, zone string) ([]tail.Source, error) {
	sources, err := sourcesOf(files, f.Source, exclude, format, zone, f.Label)
	if err == nil && len(sources) == 0 && f.ApacheConf == "" {
		err = usage("no logs given\nhint: name them, or a pattern of them: sluice run '/var/log/apache2/*access*.log', or take them from the web server's configuration: --apache-conf /etc/apache2/apache2.conf")
	}
	return sources, err
}

// sourcesOf returns the named logs, with the format of the flags, and those with formats of their
// own. A pattern that can never match is an error. Files that match exclude are excluded from each
// source.
func sourcesOf(files []string, own []source, exclude []string, format, zone string, labels map[string]string) ([]tail.Source, error) {
	var sources []tail.Source
	for _, path := range files {
		sources = append(sources, tail.Source{Pattern: path, Format: format, Zone: zone, Labels: labels, Exclude: exclude})
	}
	for _, s := range own {
		flags := formatFlags{Format: s.Format, Timezone: s.Timezone}
		if s.Format == "" {
			flags.Format = format
		}
		if s.Timezone == "" {
			flags.Timezone = zone
		}
		text, _, err := flags.text()
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Path, err)
		}
		all := map[string]string{}
		maps.Copy(all, labels)
		maps.Copy(all, s.Labels)
		sources = append(sources, tail.Source{Pattern: s.Path, Format: text, Zone: flags.Timezone, Labels: all, Exclude: exclude})
	}
	for _, s := range sources {
		if s.Pattern == stdinName {
			continue
		}
		if err := s.Check(); err != nil {
			return nil, usageError{err}
		}
	}
	return sources, nil
}

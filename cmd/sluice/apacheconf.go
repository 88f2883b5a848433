package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"sluice/parse"
	"sluice/parse/httpdconf"
)

// listApacheLogs prints each access log of an Apache configuration with the
// command that ingests it, or as JSON, one object a log.
func listApacheLogs(a *app, path, output string) error {
	config, err := httpdconf.Read(path, httpdconf.Options{})
	if err != nil {
		return usageError{err}
	}
	for _, w := range config.Warnings {
		fmt.Fprintln(a.stderr, "sluice:", w)
	}
	for _, l := range config.Logs {
		if _, err := parse.Compile(l.Format); err != nil {
			fmt.Fprintf(a.stderr, "sluice: %s:%d: %v\n", l.File, l.Line, err)
		}
		if output == "json" {
			b, err := json.Marshal(newApacheLog(l))
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(a.stdout, "%s\n", b); err != nil {
				return err
			}
		} else if err := printApacheLog(a.stdout, l); err != nil {
			return err
		}
	}
	if len(config.Logs) == 0 {
		return usage("%s: httpd writes no access log by this configuration", path)
	}
	return nil
}

// apacheLog is what the JSON says of a log.
type apacheLog struct {
	Path      string   `json:"path,omitempty"`
	Pipe      string   `json:"pipe,omitempty"`
	Rotated   []string `json:"rotated,omitempty"`
	Provider  string   `json:"provider,omitempty"`
	Format    string   `json:"format"`
	Nickname  string   `json:"nickname,omitempty"`
	VHost     string   `json:"vhost,omitempty"`
	Inherited []string `json:"inherited_by,omitempty"`
	Condition string   `json:"condition,omitempty"`
	File      string   `json:"file"`
	Line      int      `json:"line"`
}

func newApacheLog(l httpdconf.Log) apacheLog {
	return apacheLog{l.Path, l.Pipe, l.Rotated, l.Provider, l.Format, l.Nickname, l.VirtualHost, l.InheritedBy, l.Condition, l.File, l.Line}
}

func printApacheLog(w io.Writer, l httpdconf.Log) error {
	server := "main server"
	if l.VirtualHost != "" {
		server = "virtual host " + l.VirtualHost
	}
	if len(l.InheritedBy) > 0 {
		server += ", and " + strings.Join(l.InheritedBy, ", ")
	}
	if l.Condition != "" {
		server += ", only " + l.Condition
	}
	files := l.Rotated
	switch {
	case l.Path != "":
		files = []string{l.Path}
	case len(files) == 0:
		_, err := fmt.Fprintf(w, "# %s:%d: %s: goes to %s%s, which is no file\n", l.File, l.Line, server, l.Pipe, l.Provider)
		return err
	}
	for i := range files {
		files[i] = quote(files[i])
	}
	_, err := fmt.Fprintf(w, "# %s:%d: %s\nsluice run --once --format %s %s\n", l.File, l.Line, server, quote(l.Format), strings.Join(files, " "))
	return err
}

// quote makes one word of a shell's command line.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"strings"

	"sluice/parse"
	"sluice/parse/httpdconf"
	"sluice/print"
)

// listApacheLogs prints each access log of an Apache configuration with the command that ingests
// it, or as JSON with one object per line.
func (p *parseCmd) listApacheLogs(a *app) error {
	config, err := httpdconf.Read(p.ApacheConf, httpdconf.Options{ServerRoot: p.ServerRoot, Defines: definesOf(p.Define)})
	if errors.Is(err, fs.ErrNotExist) && p.ServerRoot == "" {
		return usage("%w\nhint: for a copy of a configuration, give its directory with --server-root", err)
	}
	if err != nil {
		return usageError{err}
	}
	out := json.NewEncoder(a.stdout)
	out.SetEscapeHTML(false)
	for _, w := range config.Warnings {
		print.Textln(a.stderr, "sluice:", w)
	}
	for _, l := range config.Logs {
		if _, err := parse.Compile(l.Format); err != nil && l.Unread == "" {
			print.Textf(a.stderr, "sluice: %s:%d: %v\n", l.File, l.Line, err)
		}
		if p.Output == "json" {
			if err := out.Encode(newApacheLog(l)); err != nil {
				return err
			}
		} else if err := printApacheLog(a.stdout, l); err != nil {
			return err
		}
	}
	if len(config.Logs) == 0 {
		return usage("%s: this configuration has httpd write no access log", p.ApacheConf)
	}
	return nil
}

// apacheLog is a log in the JSON output.
type apacheLog struct {
	Path      string   `json:"path,omitempty"`
	Pipe      string   `json:"pipe,omitempty"`
	Rotated   []string `json:"rotated,omitempty"`
	Provider  string   `json:"provider,omitempty"`
	Unread    string   `json:"unread,omitempty"`
	Format    string   `json:"format"`
	Nickname  string   `json:"nickname,omitempty"`
	VHost     string   `json:"vhost,omitempty"`
	Inherited []string `json:"inherited_by,omitempty"`
	Condition string   `json:"condition,omitempty"`
	File      string   `json:"file"`
	Line      int      `json:"line"`
}

func newApacheLog(l httpdconf.Log) apacheLog {
	return apacheLog{l.Path, l.Pipe, l.Rotated, l.Provider, l.Unread, l.Format, l.Nickname, l.VirtualHost, l.InheritedBy, l.Condition, l.File, l.Line}
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
	if l.Unread != "" {
		_, err := print.Textf(w, "# %s:%d: %s: left out: %s\n", l.File, l.Line, server, l.Unread)
		return err
	}
	var files []string
	for _, name := range l.Rotated {
		files = append(files, quote(name))
	}
	if l.Path != "" {
		files = []string{quote(l.Path)}
	}
	_, err := print.Textf(w, "# %s:%d: %s\nsluice run --once --format %s %s\n", l.File, l.Line, server, quote(l.Format), strings.Join(files, " "))
	return err
}

// quote quotes s as one word for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"sluice/ingest/apacheconf"
	"sluice/ingest/tail"
	"sluice/monitor"
)

// apacheFlags select a web server configuration to follow.
type apacheFlags struct {
	ApacheConf string   `type:"path" placeholder:"FILE" help:"Follow the access logs that this configuration of Apache httpd names, each in its LogFormat, and the changes of it. If logs are named, too, only compare: a CustomLog that none of them reads is a warning."`
	Define     []string `short:"D" placeholder:"NAME" help:"With --apache-conf: what httpd is started with, NAME or NAME=VALUE."`
}

// apache returns the follower of the configuration, nil without --apache-conf. named are the
// sources from the command line or configuration file.
func (f *followFlags) apache(a *app, named []tail.Source, exclude []string, zone string) (*apacheconf.Follower, error) {
	if f.ApacheConf == "" {
		if len(f.Define) > 0 {
			return nil, usage("--define requires --apache-conf")
		}
		return nil, nil
	}
	path, err := filepath.Abs(f.ApacheConf)
	if err != nil {
		return nil, err
	}
	return apacheconf.New(apacheconf.Config{
		Path: path, Defines: definesOf(f.Define), Named: named, Saved: filepath.Join(a.cli.Data, "apache-sources.json"), Log: a.log,
		Like: tail.Source{Zone: zone, Labels: f.Label, Exclude: exclude},
	})
}

// followApache reads the configuration once, then follows its changes until end is called, which
// waits for the goroutine. configuration may be nil.
func (a *app) followApache(configuration *apacheconf.Follower) (end func()) {
	if configuration == nil {
		return func() {}
	}
	configuration.Look(time.Now())
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		configuration.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// changing returns the sources of a configuration, nil without one.
func changing(configuration *apacheconf.Follower) *tail.SourceSet {
	if configuration == nil {
		return nil
	}
	return configuration.Sources()
}

// countSources returns the number of sources that are followed: the named ones, or else those of
// the configuration, which may be nil.
func countSources(named []tail.Source, configuration *apacheconf.Follower) int {
	if configuration == nil {
		return len(named)
	}
	return len(named) + len(configuration.Sources().Sources())
}

// warnOf adds the problems and warnings of a configuration to the host that this process reads.
// configuration may be nil.
func warnOf(h *monitor.Host, configuration *apacheconf.Follower) {
	if configuration == nil {
		return
	}
	problems, warnings := configuration.Report()
	for _, text := range problems {
		h.Fail("%s", text)
	}
	for _, text := range warnings {
		h.Add(monitor.UnreadLog, "%s", text)
	}
}

// definesOf splits NAME=VALUE arguments; the value of NAME alone is "".
func definesOf(all []string) map[string]string {
	defines := map[string]string{}
	for _, d := range all {
		name, value, _ := strings.Cut(d, "=")
		defines[name] = value
	}
	return defines
}

// reportOf returns the configuration's Report for the heartbeats of an agent, nil without a
// configuration.
func reportOf(configuration *apacheconf.Follower) func() (problems, warnings []string) {
	if configuration == nil {
		return nil
	}
	return configuration.Report
}

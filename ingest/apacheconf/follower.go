package apacheconf

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"sluice/ingest/tail"
	"sluice/parse/httpdconf"
)

// Config is what a Follower works with.
type Config struct {
	// Path is the configuration's main file.
	Path string
	// Defines are what httpd is started with (-D).
	Defines map[string]string
	// Named are the sources that the user named. If there are any, the configuration is
	// compared with them, and Sources stays empty.
	Named []tail.Source
	// Like has the zone, the labels and the exclusions of the sources that are made.
	Like tail.Source
	// Saved is a file that keeps the sources of the last configuration that could be
	// read, for a start at which it cannot be read; "": none.
	Saved string
	Log   *slog.Logger
}

const (
	// lookInterval is the time between two looks at the configuration's files.
	lookInterval = 5 * time.Second
	// rereadInterval is the time after which the configuration is read and compared
	// though no file of it changed: a named source's files may have.
	rereadInterval = time.Minute
	// readShare of a core may be spent on reading configurations.
	readShare = 1.0 / 100
	// keepFor a log is followed that the configuration names no more: httpd writes to
	// it until it is restarted.
	keepFor = 24 * time.Hour
	// maxSources bounds what is followed, with what is kept.
	maxSources = 50_000
	// maxWarnings bounds what Report returns.
	maxWarnings = 100
)

// Follower follows a configuration. Look is called by one goroutine at a time; Sources and
// Report may be used by others.
type Follower struct {
	cfg      Config
	sources  tail.SourceSet
	patterns *tail.Patterns // of Named

	// Of Look's goroutine.
	looked []string
	print  uint64    // of the files that were looked at
	next   time.Time // it is read again, changed or not
	// affordable: before that it is not read, for the last time took long.
	affordable time.Time
	settled    bool // it was read again after the last change
	kept       map[string]kept
	present    []tail.Source

	mu       sync.Mutex
	read     time.Time // the last time that it could be read; zero: never
	err      error     // why it cannot be read now
	since    time.Time // of err
	logs     int
	warnings []string
}

// kept is a source that the configuration names no more.
type kept struct {
	tail.Source
	gone time.Time
}

// New returns a Follower that has not read anything. The error is that a named source is
// wrong.
func New(cfg Config) (*Follower, error) {
	patterns, err := tail.NewPatterns(cfg.Named)
	if err != nil {
		return nil, err
	}
	return &Follower{cfg: cfg, patterns: patterns, kept: map[string]kept{}}, nil
}

// Sources are those of the configuration; empty if it is only compared.
func (f *Follower) Sources() *tail.SourceSet { return &f.sources }

// Run looks again and again until ctx is done.
func (f *Follower) Run(ctx context.Context) {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f.Look(time.Now())
		case <-ctx.Done():
			return
		}
	}
}

// Look reads the configuration if it changed, or if it is time to.
func (f *Follower) Look(now time.Time) {
	print := fingerprint(f.looked)
	changed := print != f.print || !f.settled
	if now.Before(f.affordable) || !changed && now.Before(f.next) {
		return
	}
	began := time.Now()
	conf, err := httpdconf.Read(f.cfg.Path, httpdconf.Options{Defines: f.cfg.Defines})
	// A file that changes while it is read has another fingerprint afterwards, or is read
	// at the next look.
	f.settled = print == f.print
	again := rereadInterval
	if err != nil {
		f.settled, again = true, lookInterval
		f.fail(now, err)
	} else {
		f.looked = conf.Looked
		f.succeed(now, conf)
	}
	f.print = fingerprint(f.looked)
	f.next, f.affordable = now.Add(again), now.Add(time.Duration(float64(time.Since(began))/readShare))
}

// fingerprint is a hash of what the kernel says of files.
func fingerprint(paths []string) uint64 {
	h := fnv.New64a()
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintf(h, "%s\x00-\x00", path)
			continue
		}
		inode := uint64(0)
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			inode = st.Ino
		}
		fmt.Fprintf(h, "%s\x00%d %d %d %d\x00", path, inode, info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	return h.Sum64()
}

// fail notes that the configuration cannot be read. At the first start the sources that an
// earlier process saved are followed.
func (f *Follower) fail(now time.Time, err error) {
	f.mu.Lock()
	first, never := f.err == nil || f.err.Error() != err.Error(), f.read.IsZero()
	if f.err == nil {
		f.since = now
	}
	f.err = err
	f.mu.Unlock()
	if first {
		f.cfg.Log.Warn("apache configuration cannot be read, retrying; the last one stays in use", "path", f.cfg.Path, "err", err)
	}
	if never && len(f.cfg.Named) == 0 && len(f.present) == 0 {
		f.restore()
	}
}

// succeed takes over a configuration.
func (f *Follower) succeed(now time.Time, conf *httpdconf.Config) {
	logs, warnings := f.judge(conf.Logs)
	if len(f.cfg.Named) > 0 {
		warnings = f.compare(logs, warnings)
	} else if sources, more := f.sourcesOf(logs); f.follow(now, sources) {
		warnings = append(warnings, more...)
		f.save()
	} else {
		warnings = append(warnings, more...)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		f.cfg.Log.Info("apache configuration read recovered", "path", f.cfg.Path, "after", now.Sub(f.since).Round(time.Second))
	}
	if n := len(warnings); n > maxWarnings {
		warnings = append(warnings[:maxWarnings:maxWarnings], fmt.Sprintf("and %d more logs of %s", n-maxWarnings, f.cfg.Path))
	}
	for _, w := range warnings {
		if !slices.Contains(f.warnings, w) {
			f.cfg.Log.Warn("apache log not read", "path", f.cfg.Path, "reason", w)
		}
	}
	f.read, f.err, f.logs, f.warnings = now, nil, len(logs), warnings
}

// follow hands over the sources, with those that were there before; it reports whether
// they changed.
func (f *Follower) follow(now time.Time, sources []tail.Source) (changed bool) {
	named := map[string]bool{}
	for _, s := range sources {
		named[s.Pattern] = true
		delete(f.kept, s.Pattern)
	}
	for _, s := range f.present {
		if !named[s.Pattern] {
			if _, already := f.kept[s.Pattern]; !already {
				f.cfg.Log.Info("log left the apache configuration, followed for a day", "source", s.Pattern)
				s.Optional = true
				f.kept[s.Pattern] = kept{s, now}
			}
		}
	}
	f.present = sources
	all := slices.Clone(sources)
	for _, pattern := range sortedKeys(f.kept) {
		k := f.kept[pattern]
		if age := now.Sub(k.gone); age >= keepFor || len(all) >= maxSources {
			delete(f.kept, pattern)
			continue
		}
		all = append(all, k.Source)
	}
	if slices.EqualFunc(all, f.sources.Sources(), equal) {
		return false
	}
	f.cfg.Log.Info("logs taken from the apache configuration", "path", f.cfg.Path, "sources", len(sources))
	f.sources.Set(all)
	return true
}

// Report says what is wrong, and what may be, for /health.
func (f *Follower) Report() (troubles, warnings []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch followed := len(f.sources.Sources()); {
	case f.err != nil && f.read.IsZero() && followed == 0 && len(f.cfg.Named) == 0:
		troubles = append(troubles, fmt.Sprintf("the Apache configuration cannot be read since %s, so no log is followed: %v", f.since.UTC().Format(time.RFC3339), f.err))
	case f.err != nil:
		warnings = append(warnings, fmt.Sprintf("the Apache configuration cannot be read since %s, the last one stays in use: %v", f.since.UTC().Format(time.RFC3339), f.err))
	case followed == 0 && len(f.cfg.Named) == 0:
		troubles = append(troubles, fmt.Sprintf("the Apache configuration %s names no log that can be read", f.cfg.Path))
	}
	return troubles, append(warnings, f.warnings...)
}

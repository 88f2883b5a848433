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

// Config configures a Follower.
type Config struct {
	// Path is the configuration's main file.
	Path string
	// Defines are the -D options of httpd.
	Defines map[string]string
	// Named are the sources that the user named. If there are any, the configuration is only
	// compared with them, and Sources stays empty.
	Named []tail.Source
	// Like has the zone, labels and exclusions for the sources that are made.
	Like tail.Source
	// Saved is a file with the sources of the last configuration that could be read, for a start at
	// which it cannot be read; "": none.
	Saved string
	Log   *slog.Logger
}

const (
	// lookInterval is the time between two checks of the configuration's files.
	lookInterval = 5 * time.Second
	// rereadInterval is the time after which the configuration is read and compared although none
	// of its files changed, because the files of a named source may have.
	rereadInterval = time.Minute
	// readShare is the share of a core that may be spent on reading configurations.
	readShare = 1.0 / 100
	// keepFor is how long a log is followed that is no longer in the configuration, because httpd
	// writes to it until it is restarted.
	keepFor = 24 * time.Hour
	// maxSources limits the followed sources, including those that are kept.
	maxSources = 50_000
	// maxWarnings limits what Report returns.
	maxWarnings = 100
)

// Follower follows a configuration. Look must not be called concurrently; Sources and Report may
// be.
type Follower struct {
	cfg      Config
	sources  tail.SourceSet
	patterns *tail.Patterns // of Named

	// Used by Look's goroutine only.
	looked []string
	print  uint64    // fingerprint of the files in looked
	next   time.Time // when it is read again without a change
	// affordable is the time before which it is not read, because the last time took long.
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

// kept is a source that is no longer in the configuration.
type kept struct {
	tail.Source
	gone time.Time
}

// New returns a Follower that has not read anything. It returns an error if a named source is
// invalid.
func New(cfg Config) (*Follower, error) {
	patterns, err := tail.NewPatterns(cfg.Named)
	if err != nil {
		return nil, err
	}
	return &Follower{cfg: cfg, patterns: patterns, kept: map[string]kept{}}, nil
}

// Sources returns the sources of the configuration; empty if it is only compared.
func (f *Follower) Sources() *tail.SourceSet { return &f.sources }

// Run calls Look at intervals until ctx is done.
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

// Look reads the configuration if it changed, or if rereadInterval is over.
func (f *Follower) Look(now time.Time) {
	print := fingerprint(f.looked)
	changed := print != f.print || !f.settled
	if now.Before(f.affordable) || !changed && now.Before(f.next) {
		return
	}
	began := time.Now()
	conf, err := httpdconf.Read(f.cfg.Path, httpdconf.Options{Defines: f.cfg.Defines})
	// A file that changes while it is read has another fingerprint afterwards, or is read at the
	// next look.
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

// fingerprint returns a hash of the files' sizes and times.
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

// fail records that the configuration cannot be read. At the first start the sources that an
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

// succeed applies a configuration.
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

// follow sets the sources, including those that are kept; it reports whether they changed.
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

// Report returns problems and warnings for /health.
func (f *Follower) Report() (problems, warnings []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch followed := len(f.sources.Sources()); {
	case f.err != nil && f.read.IsZero() && followed == 0 && len(f.cfg.Named) == 0:
		problems = append(problems, fmt.Sprintf("the Apache configuration cannot be read since %s, so no log is followed: %v", f.since.UTC().Format(time.RFC3339), f.err))
	case f.err != nil:
		warnings = append(warnings, fmt.Sprintf("the Apache configuration cannot be read since %s, the last one stays in use: %v", f.since.UTC().Format(time.RFC3339), f.err))
	case followed == 0 && len(f.cfg.Named) == 0:
		problems = append(problems, fmt.Sprintf("the Apache configuration %s names no log that can be read", f.cfg.Path))
	}
	return problems, append(warnings, f.warnings...)
}

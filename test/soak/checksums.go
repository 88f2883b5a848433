package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// serverLogs returns the sizes of the region servers' logs, by path.
func (r *bulkLoadRun) serverLogs() (map[string]int64, error) {
	paths, err := filepath.Glob(filepath.Join(r.cluster.Home(), "log", "regionserver*.log"))
	if err != nil || len(paths) == 0 {
		return nil, errors.Join(err, errors.New("no logs of region servers"))
	}
	sizes := map[string]int64{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		sizes[path] = info.Size()
	}
	return sizes, nil
}

// files lets HBase's own reader read every file of the tables, those that compactions have replaced
// too, and looks into the logs of the region servers since the start: a wrong checksum is a warning
// there, and a second read.
func (r *bulkLoadRun) files(context.Context) error {
	count, err := r.countedFailures()
	if err != nil {
		return err
	}
	logged, err := r.loggedFailures()
	if err != nil {
		return err
	}
	if count > 0 || logged > 0 {
		return fmt.Errorf("wrong checksums: %d read by HBase's reader, %d logged by region servers", count, logged)
	}
	return nil
}

// countedFailures returns the number of wrong checksums that HBase's own reader finds in the tables'
// files.
func (r *bulkLoadRun) countedFailures() (int64, error) {
	classes := filepath.Join(r.dir, "classes")
	if err := os.MkdirAll(classes, 0o700); err != nil {
		return 0, err
	}
	if _, err := r.cluster.Java(nil, "com.sun.tools.javac.Main", "-nowarn", "-Xlint:none", "-d", classes, "testdata/CountChecksums.java"); err != nil {
		return 0, err
	}
	out, err := r.cluster.Java([]string{"CLUSTER_CP=" + classes}, "CountChecksums", r.name)
	if err != nil {
		return 0, err
	}
	var files, loaded, cells, failures int64
	if _, err := fmt.Sscanf(out, "files=%d loaded=%d cells=%d failures=%d", &files, &loaded, &cells, &failures); err != nil {
		return 0, fmt.Errorf("%q: %w", out, err)
	}
	r.journal.say("check", strings.TrimSpace(out))
	if loaded == 0 || cells == 0 {
		return failures, fmt.Errorf("no file was loaded: %s", out)
	}
	return failures, nil
}

// loggedFailures returns the number of wrong checksums that region servers have logged since the
// start.
func (r *bulkLoadRun) loggedFailures() (failures int64, err error) {
	paths, err := r.serverLogs()
	if err != nil {
		return 0, err
	}
	for path := range paths {
		text, err := readFrom(path, r.logged[path])
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(text) {
			if strings.Contains(line, "checksum verification failed") {
				failures++
				r.journal.say("check", strings.TrimSpace(line))
			}
		}
	}
	return failures, nil
}

// readFrom returns the rest of a file.
func readFrom(path string, offset int64) (text string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return "", err
	}
	b, err := io.ReadAll(f)
	return string(b), err
}

package soak

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"sluice/archive"
	"sluice/archive/index"
	"sluice/hdfs"
	"sluice/test/cluster"
)

// archived is an archive in HDFS, checked after the loads have ended.
type archived struct {
	cluster *cluster.Cluster
	pattern archive.Pattern
	archive *hdfs.Archive
	logs    func() []hostLog
	spools  []string // data directories

	mu   sync.Mutex
	lost []string // ids of collectors that will not come back
}

// lose records that a collector and its disk are gone. Its temporary files remain in the archive,
// because other collectors remove them only after a day.
func (a *archived) lose(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lost = append(a.lost, id)
}

// ofLost reports whether a line of a listing is a temporary file of such a collector.
func (a *archived) ofLost(line string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.lost, func(id string) bool { return strings.Contains(line, "/"+archive.TmpDir+"/"+id+"~") })
}

// want counts the lines of the logs.
func (a *archived) want() (tallies, error) {
	t := tallies{}
	for _, l := range a.logs() {
		f, err := os.Open(l.path)
		if err == nil {
			err = errors.Join(t.read(f, l.host, ""), f.Close())
		}
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// lines checks that the archive has the logs' lines for every host and day. It reads with a plain
// HDFS client and gzip reader, without using the segment format.
func (a *archived) lines(ctx context.Context) error {
	want, err := a.want()
	if err != nil {
		return err
	}
	files, err := a.archive.List(ctx)
	if err != nil {
		return err
	}
	got := tallies{}
	for _, f := range files {
		if err := a.count(ctx, got, f); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return want.equal(got)
}

func (a *archived) count(ctx context.Context, t tallies, f archive.File) (err error) {
	r, err := a.archive.Open(ctx, f.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if f.Bytes == 0 {
		return errors.New("the file is empty")
	}
	text, err := gzip.NewReader(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		return err
	}
	dir, host := path.Split(path.Dir(f.Name))
	return t.read(text, host, strings.TrimSuffix(dir, "/"))
}

// hadoop checks that Hadoop's own reader finds the same lines.
func (a *archived) hadoop(context.Context) error {
	want, err := a.want()
	if err != nil {
		return err
	}
	got := tallies{}
	for host := range want {
		if strings.Contains(host, " ") {
			continue // a day of a host
		}
		text, err := a.cluster.HDFS("-text", path.Join(a.pattern.Root(), "*", host, "*"))
		if err == nil {
			err = got.read(strings.NewReader(text), host, "")
		}
		if err != nil {
			return err
		}
	}
	return want.equal(got)
}

// sound checks that every member is intact, and that ranges are contiguous.
func (a *archived) sound(ctx context.Context) error {
	c, err := index.Read(ctx, a.archive, a.pattern, nil)
	if err != nil {
		return err
	}
	var texts []string
	err = c.Verify(ctx, a.pattern, func(p index.Problem) { texts = append(texts, p.String()) })
	for _, id := range c.StreamIDs() {
		if begin := c.Begin(c.Streams[id]); begin > 0 {
			texts = append(texts, fmt.Sprintf("stream %s begins at %d", id, begin))
		}
	}
	if len(texts) > 0 {
		err = errors.Join(err, fmt.Errorf("%d problems: %s", len(texts), strings.Join(texts[:min(len(texts), maxListed)], "; ")))
	}
	return err
}

// tidy checks that there are no temporary files and no files open for writing.
func (a *archived) tidy(context.Context) error {
	list, err := a.cluster.HDFS("-ls", "-R", a.pattern.Root())
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		if strings.Contains(line, "/"+archive.TmpDir+"/") && !a.ofLost(line) {
			return fmt.Errorf("a temporary file: %s", strings.TrimSpace(line))
		}
	}
	out, err := a.cluster.Java(nil, "org.apache.hadoop.hdfs.tools.DFSck", a.pattern.Root(), "-files", "-openforwrite")
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(strings.Split(out, "\n"), func(l string) bool { return strings.Contains(l, "OPENFORWRITE") && !a.ofLost(l) }); i >= 0 {
		return fmt.Errorf("an open lease: %s", strings.Split(out, "\n")[i])
	}
	if !strings.Contains(out, "is HEALTHY") {
		return fmt.Errorf("fsck: %s", out)
	}
	return nil
}

// emptySpools checks that no segment is left in the spools.
func (a *archived) emptySpools(context.Context) error {
	for _, data := range a.spools {
		err := filepath.WalkDir(filepath.Join(data, "spool"), func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				err = fmt.Errorf("%s is left", name)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

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

// archived is an archive in HDFS as it is looked at when all is over.
type archived struct {
	cluster *cluster.Cluster
	pattern archive.Pattern
	archive *hdfs.Archive
	logs    func() []hostLog
	spools  []string // data folders

	mu   sync.Mutex
	lost []string // ids of collectors that will never come back
}

// lose: a collector is gone with its disk. What it was writing then stays where it was,
// for the others remove it only after a day.
func (a *archived) lose(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lost = append(a.lost, id)
}

// ofLost says whether a listing's line is of such a file.
func (a *archived) ofLost(line string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.lost, func(id string) bool { return strings.Contains(line, "/"+archive.TmpDir+"/"+id+"~") })
}

// want counts the logs.
func (a *archived) want() (Tallies, error) {
	t := Tallies{}
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

// lines: for every host and day the archive has the logs' lines, read with our client
// of HDFS and Go's gzip, which know nothing of members.
func (a *archived) lines(ctx context.Context) error {
	want, err := a.want()
	if err != nil {
		return err
	}
	files, err := a.archive.List(ctx)
	if err != nil {
		return err
	}
	got := Tallies{}
	for _, f := range files {
		if err := a.count(ctx, got, f); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return want.equal(got)
}

func (a *archived) count(ctx context.Context, t Tallies, f archive.File) (err error) {
	r, err := a.archive.Open(ctx, f.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if f.Bytes == 0 {
		return errors.New("it is empty")
	}
	text, err := gzip.NewReader(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		return err
	}
	dir, host := path.Split(path.Dir(f.Name))
	return t.read(text, host, strings.TrimSuffix(dir, "/"))
}

// hadoop: Hadoop's own reader finds the same lines.
func (a *archived) hadoop(context.Context) error {
	want, err := a.want()
	if err != nil {
		return err
	}
	got := Tallies{}
	for host := range want {
		if strings.Contains(host, " ") {
			continue // one of its days
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

// sound: every member is whole, and ranges meet without gap or overlap.
func (a *archived) sound(ctx context.Context) error {
	c, err := index.Read(ctx, a.archive, a.pattern, nil)
	if err != nil {
		return err
	}
	var told []string
	err = c.Verify(ctx, a.pattern, func(p index.Problem) { told = append(told, p.String()) })
	for _, id := range c.StreamIDs() {
		if begin := c.Begin(c.Streams[id]); begin > 0 {
			told = append(told, fmt.Sprintf("stream %s begins at %d", id, begin))
		}
	}
	if len(told) > 0 {
		err = errors.Join(err, fmt.Errorf("%d problems: %s", len(told), strings.Join(told[:min(len(told), maxTold)], "; ")))
	}
	return err
}

// tidy: no temporary file, and no file whose writer has not closed it.
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
	told, err := a.cluster.Java(nil, "org.apache.hadoop.hdfs.tools.DFSck", a.pattern.Root(), "-files", "-openforwrite")
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(strings.Split(told, "\n"), func(l string) bool { return strings.Contains(l, "OPENFORWRITE") && !a.ofLost(l) }); i >= 0 {
		return fmt.Errorf("an open lease: %s", strings.Split(told, "\n")[i])
	}
	if !strings.Contains(told, "is HEALTHY") {
		return fmt.Errorf("fsck: %s", told)
	}
	return nil
}

// emptySpools: no segment is left on our own disk.
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

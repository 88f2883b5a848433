package collector

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment"
)

// recovery recovers the segments of an earlier process. Each is truncated after its last whole
// batch and sealed. Its spooled batches count as received; the rows of those that are not stored
// will be put again. It runs before the goroutines are started, so it does not lock the spool.
type recovery struct {
	cfg     *Config
	streams *streams
	spool   *spool
	backlog *backlog
}

// run recovers all segments. cutBytes is the number of bytes that were truncated.
func (c *recovery) run() (cutBytes int64, err error) {
	hosts, err := c.cfg.FS.ReadDir(c.cfg.SpoolDir)
	if err != nil {
		return 0, err
	}
	for _, host := range hosts {
		dir := filepath.Join(c.cfg.SpoolDir, host)
		if info, err := c.cfg.FS.Stat(dir); err == nil && !info.IsDir() {
			c.cfg.Log.Warn("file in the spool is not a segment, ignored", "path", dir)
			continue
		}
		names, err := c.cfg.FS.ReadDir(dir)
		if err != nil {
			return cutBytes, err
		}
		for _, name := range names {
			n, err := c.file(host + "/" + name)
			cutBytes += n
			if err != nil {
				return cutBytes, err
			}
		}
	}
	return cutBytes, nil
}

// file recovers one segment. A file that is not a segment is ignored.
func (c *recovery) file(file string) (cutBytes int64, err error) {
	path := filepath.Join(c.cfg.SpoolDir, filepath.FromSlash(file))
	if strings.HasSuffix(file, columnsSuffix) { // it will be made from its segment
		return 0, c.cfg.FS.Remove(path)
	}
	bare, stored := strings.CutSuffix(file, segment.StoredSuffix)
	name, open, err := segment.ParseName(bare)
	if err == nil && open && stored {
		err = errors.New("an open segment cannot be stored")
	}
	if err != nil {
		// Do not fail: a foreign file must not keep the lines of every host waiting.
		c.cfg.Log.Warn("file in the spool is not a segment, ignored", "path", path, "err", err)
		return 0, nil
	}
	if open {
		found, err := segment.Recover(c.cfg.FS, path, segment.RecoverOptions{})
		if err != nil || found.Removed {
			return found.CutBytes, err
		}
		cutBytes = found.CutBytes
		if path, err = segment.Seal(c.cfg.FS, path); err != nil {
			return cutBytes, err
		}
	}
	c.cfg.Checkpoint.UseSeq(name.Seq)
	sp := newSpooled(name, nil)
	sp.path, sp.stored, sp.sealedAt = path, stored, c.cfg.Now()
	c.spool.kept = append(c.spool.kept, sp)
	if err := c.batches(sp); err != nil {
		return cutBytes, err
	}
	// A checkpoint that was restored from a backup may know less than the file's name says.
	if sp.stored = stored && sp.untabled == 0; sp.stored {
		sp.archived, sp.storedAt = true, c.cfg.Now()
	} else {
		c.spool.due = append(c.spool.due, sp)
	}
	return cutBytes, nil
}

// batches reads the spooled batches of a sealed segment.
func (c *recovery) batches(sp *spooled) (err error) {
	f, err := c.cfg.FS.OpenFile(sp.path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sp.bytes = info.Size()
	c.spool.quota.grow(sp.name.Host, sp.bytes, 0)
	r := segment.NewReader(f, info.Size())
	last := map[*streamState]segment.Member{}
	for {
		m, err := r.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = c.labels(sp, r, m)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", sp.path, err)
		}
		if sp.stored && c.cfg.Checkpoint.Stream(m.Stream) == nil {
			continue // the log no longer exists, and the checkpoint has forgotten it
		}
		st, err := c.spooledBatch(sp, r, m)
		if err != nil {
			return err
		}
		if m.Range.End > last[st].Range.End {
			last[st] = m
		}
	}
	for st, m := range last {
		if err := c.rememberTail(st, r, m); err != nil {
			return fmt.Errorf("%s: %w", sp.path, err)
		}
	}
	return nil
}

// labels reads, from its first member, the labels that the lines of a segment have in common. A
// segment with others was begun with another archive pattern; it can be archived in one directory
// only.
func (c *recovery) labels(sp *spooled, r *segment.Reader, m segment.Member) error {
	group := c.cfg.Naming.Group(sp.labels)
	if group == "" || m.EntryBytes == 0 {
		return nil
	}
	e, err := r.Entry()
	if err != nil {
		return err
	}
	if m.Offset == 0 {
		sp.labels = e.Labels
	} else if other := c.cfg.Naming.Group(e.Labels); other != group {
		c.cfg.Log.Warn("recovered segment has lines of several label sets, archived by the first", "segment", sp.name, "stream", m.Stream, "labels", other, "archived_by", group)
	}
	return nil
}

// trackedOf returns the stream of a member. A stream that another host declared is not saved in the
// checkpoint before its lines are in the spool, so with DeclareFound it is restored from the
// segment.
func (c *recovery) trackedOf(sp *spooled, r *segment.Reader, m segment.Member) (*checkpoint.Stream, error) {
	if tracked := c.cfg.Checkpoint.Stream(m.Stream); tracked != nil {
		return tracked, nil
	}
	if m.EntryBytes == 0 || !c.cfg.DeclareFound || !c.cfg.Checkpoint.Found() {
		return nil, fmt.Errorf("%s holds stream %s, which the checkpoint does not know: %w", sp.path, m.Stream, checkpoint.ErrDamaged)
	}
	entry, err := r.Entry()
	if err != nil {
		return nil, err
	}
	return c.cfg.Checkpoint.Declared.Restore(entry), nil
}

func (c *recovery) spooledBatch(sp *spooled, r *segment.Reader, m segment.Member) (*streamState, error) {
	tracked, err := c.trackedOf(sp, r, m)
	if err != nil {
		return nil, err
	}
	st := c.streams.of(tracked)
	if _, _, err := c.cfg.prepare(st, &st.again); err != nil {
		return nil, err
	}
	p := &spooledBatch{stream: st, Range: m.Range, lines: int64(m.Lines), in: sp, member: m, earlier: true, at: c.cfg.Now()}
	sp.batches = append(sp.batches, p)
	c.spool.quota.grow(sp.name.Host, 0, 1)
	if p.tabled = c.streams.takeUp(p, sp.stored); !p.tabled {
		sp.untabled++
		c.backlog.add(p)
	}
	return st, nil
}

// rememberTail records the stream's last bytes in the checkpoint, which the previous process may
// not have saved. Without them, a copy of the log could not be distinguished from another log, and
// would be stored twice.
func (c *recovery) rememberTail(st *streamState, r *segment.Reader, m segment.Member) error {
	t := st.tracked
	if m.Range.End <= t.TailAt {
		return nil
	}
	r.At(m)
	data, err := r.Data()
	if err == nil {
		c.cfg.Checkpoint.Fingerprints.Remember(t, data, m.Range.End)
	}
	return err
}

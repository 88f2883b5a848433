package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// Pruned records which ranges of which streams were removed from table and archive because of their
// age. It is a file beside the checkpoint, so that audit does not report what it has as lost and
// repair does not restore it. It is not safe for concurrent use.
type Pruned struct {
	fsys vfs.FS
	path string
	// Table and Archive have the ranges that were removed from the table and from the archive.
	Table, Archive map[schema.StreamID]*schema.RangeSet
}

// prunedText is the content of the file: start and end of each range, by stream.
type prunedText struct {
	Kind    string                `json:"kind"`
	Version int                   `json:"version"`
	Table   map[string][][2]int64 `json:"table,omitempty"`
	Archive map[string][][2]int64 `json:"archive,omitempty"`
}

const prunedKind = "pruned"

// OpenPruned reads the record at path. If there is no such file, nothing was pruned.
func OpenPruned(fsys vfs.FS, path string) (*Pruned, error) {
	p := &Pruned{fsys: fsys, path: path, Table: map[schema.StreamID]*schema.RangeSet{}, Archive: map[schema.StreamID]*schema.RangeSet{}}
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record of what was pruned: open: %w", err)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, maxFileBytes))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("record of what was pruned: read %s: %w", path, err)
	}
	if err := p.decode(b); err != nil {
		return nil, fmt.Errorf("record of what was pruned: %s: %w\nhint: move it away; what was pruned is reported as missing then", path, err)
	}
	return p, nil
}

func (p *Pruned) decode(b []byte) error {
	body, err := vfs.WithoutSum(b)
	if err != nil {
		return err
	}
	var text prunedText
	if err := json.Unmarshal(body, &text); err != nil {
		return err
	}
	if text.Kind != prunedKind || text.Version != documentVersion {
		return fmt.Errorf("it is %q version %d, not %q version %d", text.Kind, text.Version, prunedKind, documentVersion)
	}
	for _, x := range []struct {
		from map[string][][2]int64
		to   map[schema.StreamID]*schema.RangeSet
	}{{text.Table, p.Table}, {text.Archive, p.Archive}} {
		for name, ranges := range x.from {
			id, err := schema.ParseStreamID(name)
			if err != nil {
				return err
			}
			for _, r := range ranges {
				add(x.to, id, schema.Range{Start: r[0], End: r[1]})
			}
		}
	}
	return nil
}

// AddTable records a range that is about to be removed from the table.
func (p *Pruned) AddTable(id schema.StreamID, r schema.Range) { add(p.Table, id, r) }

// AddArchive records a range that is about to be removed from the archive.
func (p *Pruned) AddArchive(id schema.StreamID, r schema.Range) { add(p.Archive, id, r) }

func add(to map[schema.StreamID]*schema.RangeSet, id schema.StreamID, r schema.Range) {
	set := to[id]
	if set == nil {
		set = &schema.RangeSet{}
		to[id] = set
	}
	set.Add(r)
}

// Save writes the record. If it returns nil the new one is durable.
func (p *Pruned) Save() error {
	body, err := json.Marshal(prunedText{prunedKind, documentVersion, rangesText(p.Table), rangesText(p.Archive)})
	if err == nil {
		err = vfs.Replace(p.fsys, p.path, vfs.WithSum(body))
	}
	if err != nil {
		return fmt.Errorf("record of what was pruned: write %s: %w", p.path, err)
	}
	return nil
}

func rangesText(sets map[schema.StreamID]*schema.RangeSet) map[string][][2]int64 {
	text := map[string][][2]int64{}
	for id, set := range sets {
		for _, r := range *set {
			text[id.String()] = append(text[id.String()], [2]int64{r.Start, r.End})
		}
	}
	return text
}

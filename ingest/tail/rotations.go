package tail

import (
	"path/filepath"
	"strings"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
)

func (d *directory) match(name string) *matcher {
	for _, m := range d.matchers {
		if m.base == "" && m.match(d.path, name) {
			return m
		}
	}
	if len(d.byBase) > 0 && !logfile.CompressedName(name) {
		return d.rotation(name)
	}
	return nil
}

// rotation returns the source with Rotations whose log the file is or was made from: access.log
// itself, or access.log.1, access-20261128.log.
func (d *directory) rotation(name string) *matcher {
	extension := filepath.Ext(name)
	m := d.shortened(name, name, "")
	if m == nil && extension != "" {
		m = d.shortened(name, strings.TrimSuffix(name, extension), extension)
	}
	if m == nil || logfile.Excluded(m.Exclude, filepath.Join(d.path, name)) {
		return nil
	}
	return m
}

// shortened finds the source with the longest name that results from removing digits and separators
// at the end of stem.
func (d *directory) shortened(name, stem, extension string) *matcher {
	for {
		base := stem + extension
		if m := d.byBase[base]; m != nil && (base == name || checkpoint.KinshipOf(name, base) == checkpoint.RotatedHere) {
			return m
		}
		if stem == "" || !strings.ContainsRune("0123456789-_.", rune(stem[len(stem)-1])) {
			return nil
		}
		stem = stem[:len(stem)-1]
	}
}

// index adds a source of which the directory has one log.
func (d *directory) index(m *matcher) {
	if m.base == "" || d.byBase[m.base] != nil {
		return
	}
	if d.byBase == nil {
		d.byBase = map[string]*matcher{}
	}
	d.byBase[m.base] = m
}

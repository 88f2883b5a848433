package collector

import (
	"fmt"
	"path"
	"path/filepath"
	"time"

	"sluice/ingest/segment"
)

// archiveName returns the name of a segment's file in the archive.
func (cfg *Config) archiveName(sp *spooled) (string, error) {
	return cfg.nameIn(cfg.Naming, sp, ".log.gz")
}

// storedName returns the name of a segment's files in the archive and in Columns, without the
// suffix.
func (cfg *Config) storedName(n segment.Name) string {
	return fmt.Sprintf("access.%s-%06d", cfg.Checkpoint.Collector(), n.Seq)
}

// nameIn returns the name of a segment's file, relative to the root of the pattern. It depends only
// on the segment, its name and the labels in it, so storing it again gives the same name.
func (cfg *Config) nameIn(pattern Directory, sp *spooled, suffix string) (string, error) {
	n := sp.name
	start, err := time.Parse(periodLayout[:len(n.Period)], n.Period)
	if err != nil {
		return "", err
	}
	dir, err := pattern.Expand(start, n.Host, sp.labels)
	if err != nil {
		return "", err
	}
	return path.Join(filepath.ToSlash(dir), cfg.storedName(n)+suffix), nil
}

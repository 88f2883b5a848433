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

// storedName is what the files of a segment in the archive and in Columns are called,
// without their suffix.
func (cfg *Config) storedName(n segment.Name) string {
	return fmt.Sprintf("access.%s-%06d", cfg.Checkpoint.Collector(), n.Seq)
}

// nameIn returns a segment's file below a pattern's root. It is made from the segment
// alone, its name and the labels in it, so that storing it again gives the same name.
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

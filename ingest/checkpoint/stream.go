package checkpoint

import (
	"encoding/hex"
	"path/filepath"
	"slices"
	"time"

	"sluice/ingest/logfile"
	"sluice/schema"
)

// Stream is a stream with its stored position.
type Stream struct {
	schema.StreamEntry
	// Seed, in hexadecimal, proves to a collector that the id belongs to this host.
	Seed string `json:"seed,omitempty"`
	// Missing are the ranges before Stored that were never received here, because their sender has
	// them stored elsewhere. Lines that arrive for them are accepted.
	Missing []schema.Range `json:"missing,omitempty"`
	// Files are the files that the stream was seen in: the log, and copies of it.
	Files []logfile.ID `json:"files"`
	Fingerprint
	// Born is when each of Files was created, in nanoseconds since 1970; 0: not known. Files beyond
	// its length were recorded by an older version.
	Born []int64 `json:"born_ns,omitempty"`
	// PathBytes is Path if that is not UTF-8, which JSON cannot represent.
	PathBytes []byte `json:"path_bytes,omitempty"`
	// LastPath is where its file is, if that is not in Path's directory: the target of a symbolic
	// link, or a copy in an olddir.
	LastPath      string `json:"last_path,omitempty"`
	LastPathBytes []byte `json:"last_path_bytes,omitempty"`
	// SeenBytes is the greatest length of the log that was seen. What of it is not stored when the
	// log is gone is lost.
	SeenBytes int64 `json:"seen_bytes,omitempty"`
	// SkippedBytes at the beginning were not read, because the operator requested new lines only.
	SkippedBytes int64 `json:"skipped_bytes,omitempty"`
	// LostBytes were deleted before they were read, and are counted.
	LostBytes int64 `json:"lost_bytes,omitempty"`
	// GrownUnix is when the log was last seen to grow, in seconds since 1970; 0: not known.
	GrownUnix int64 `json:"grown_unix,omitempty"`
	// GoneUnix is when none of its files existed any more, in seconds since 1970; 0: one exists.
	GoneUnix int64 `json:"gone_unix,omitempty"`

	cost    int64     // of its host's quota, if it was declared
	touched time.Time // when its sender last named it or sent lines of it
}

// missingIsSound reports whether Missing is valid: sorted, and before Stored.
func (t *Stream) missingIsSound() bool {
	at := int64(0)
	for _, r := range t.Missing {
		if r.Start < at || r.End <= r.Start || r.End > t.Stored {
			return false
		}
		at = r.End
	}
	return true
}

// name sets the stream's id from its seed.
func (t *Stream) name(seed schema.StreamSeed) {
	t.Seed, t.ID = hex.EncodeToString(seed[:]), seed.ID(t.Host)
}

// BornBefore reports whether the stream's log was created at least so long before another file, or
// one of the two times is not known.
func (t *Stream) BornBefore(bornNs, apartNs int64) bool {
	first := t.BornNs()
	return bornNs == 0 || first == 0 || bornNs-first >= apartNs
}

// BornNs returns when the first of the stream's files was created; 0: not known.
func (t *Stream) BornNs() int64 {
	if len(t.Born) == 0 {
		return 0
	}
	return t.Born[0]
}

// hasFile is Logs.HasFile for a caller that holds File.mu.
func (t *Stream) hasFile(id logfile.ID, bornNs int64) bool {
	for i, known := range t.Files {
		if known == id && (bornNs == 0 || i >= len(t.Born) || t.Born[i] == 0 || t.Born[i] == bornNs) {
			return true
		}
	}
	return false
}

// Dirs returns the directories in which the stream's files were seen.
func (t *Stream) Dirs() []string {
	dirs := []string{filepath.Dir(t.Path)}
	if t.LastPath != "" && filepath.Dir(t.LastPath) != dirs[0] {
		dirs = append(dirs, filepath.Dir(t.LastPath))
	}
	return dirs
}

// snapshot returns a copy for reading the stream's files after File.mu, which must be held, is
// released.
func (t *Stream) snapshot() *Stream {
	known := *t
	known.Files, known.Born = slices.Clone(t.Files), slices.Clone(t.Born)
	known.Fingerprint = t.Fingerprint.snapshot()
	return &known
}

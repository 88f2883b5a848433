package audit

import (
	"fmt"
	"strings"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// Kind is a kind of difference between log, archive and table.
type Kind uint8

const (
	// RowMissing: the archive or the log has a line without a row.
	RowMissing Kind = iota
	// RowDifferent: the table's row differs from the line's.
	RowDifferent
	// RowExtra: neither log nor archive has a line for a row.
	RowExtra
	// StreamUnknown: the table's directory lacks the stream.
	StreamUnknown
	// FormatUnknown: the format of the stream's lines is unknown.
	FormatUnknown
	// ArchiveMissing: the archive lacks a range.
	ArchiveMissing
	// ArchiveBegins: the archive lacks the stream's beginning, for example because old files were
	// deleted.
	ArchiveBegins
	// ArchiveDoubled: a range is in the archive twice.
	ArchiveDoubled
	// ArchiveDamaged: bytes of an archive file differ from what was written.
	ArchiveDamaged
	// LogDifferent: the log's bytes differ from the archive's.
	LogDifferent
	// LogShort: the log is shorter than what is stored of it.
	LogShort
	// LogDamaged: the log is compressed and cannot be read to its end.
	LogDamaged

	kinds
)

var kindNames = [kinds]string{
	"row missing", "row different", "row of no line", "stream not in the table's directory", "format not known",
	"archive lacks", "archive begins later", "archive holds twice", "archive damaged", "log different", "log short", "log damaged",
}

func (k Kind) String() string { return kindNames[k] }

// Difference is one difference.
type Difference struct {
	Kind Kind
	// Range is that of a line or, for the archive, of several.
	Range schema.Range
	// Text has details: which file, which other value.
	Text string
}

func (d Difference) String() string {
	s := fmt.Sprintf("%s: bytes %v", d.Kind, d.Range)
	if d.Text != "" {
		s += ": " + d.Text
	}
	return s
}

// Stream is the result for one stream. Bytes are positions in the log.
type Stream struct {
	schema.StreamEntry
	// LogPath is the path of its log, "" if it is not on this host.
	LogPath string
	// LogBytes = Stored + InFlight + Unread, if there is a log.
	LogBytes, InFlight, Unread int64
	// Pruned is the number of its bytes that were removed because of their age.
	Pruned int64
	// ArchiveBytes is the number of stored bytes in the archive, each counted once.
	ArchiveBytes int64
	// LinesRead, of archive and log, equals Rows + Quarantined without differences. Later are rows
	// beyond Stored, which are not compared.
	LinesRead, Rows, Quarantined, Later int64
	// Counts are the differences of each kind; Named are the first of them.
	Counts [kinds]int64
	Named  []Difference
}

// Differences is the number of differences.
func (s *Stream) Differences() (n int64) {
	for _, c := range s.Counts {
		n += c
	}
	return n
}

// summary lists the numbers by kind.
func (s *Stream) summary() string {
	var parts []string
	for k, n := range s.Counts {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", Kind(k), n))
		}
	}
	return strings.Join(parts, ", ")
}

// String returns the stream's line of the report.
func (s *Stream) String() string {
	log := "no log here"
	if s.LogPath != "" {
		log = fmt.Sprintf("log=%d unread=%d", s.LogBytes, s.Unread)
	}
	verdict := "ok"
	if s.Differences() > 0 {
		verdict = "DIFFERS: " + s.summary()
	}
	pruned := ""
	if s.Pruned > 0 {
		pruned = fmt.Sprintf(" pruned=%d", s.Pruned)
	}
	return fmt.Sprintf("%s %s stream=%s %s in_flight=%d stored=%d%s archive=%d lines=%d rows=%d quarantined=%d %s",
		s.Host, s.Path, s.ID, log, s.InFlight, s.Stored, pruned, s.ArchiveBytes, s.LinesRead, s.Rows, s.Quarantined, verdict)
}

// Report is the result of an audit.
type Report struct {
	Streams []*Stream // by host, path and id
	// Files is damage of archive files that belongs to no stream.
	Files []string
	// Foreign are archive files that no collector wrote.
	Foreign []string
	// Losses are lines that were deleted before they were read, and that are not acknowledged: no
	// log, archive or table has them.
	Losses []checkpoint.Loss
	// Repairs is what was repaired.
	Repairs Repairs
}

// Repairs is what Repair repaired.
type Repairs struct {
	// Rows is the number of rows written, Streams that of entries written to the table's directory.
	Rows, Streams int64
	// Restored are archive files made of lines that only a log had; Rewritten were rewritten
	// without duplicate or damaged ranges; Removed had nothing else.
	Restored, Rewritten, Removed []string
	// Left lists what could not be repaired, and what to do.
	Left []string
}

// Differences is the total number of differences.
func (r *Report) Differences() int64 {
	n := int64(len(r.Files)) + int64(len(r.Losses))
	for _, s := range r.Streams {
		n += s.Differences()
	}
	return n
}

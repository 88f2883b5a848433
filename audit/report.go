package audit

import (
	"fmt"
	"strings"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// Kind is how log, archive and table can differ.
type Kind uint8

const (
	// RowMissing: the archive or the log has a line that the table lacks.
	RowMissing Kind = iota
	// RowDifferent: the table's row is not what the line makes.
	RowDifferent
	// RowExtra: the table has a row of which neither log nor archive has a line.
	RowExtra
	// StreamUnknown: the table's directory lacks the stream.
	StreamUnknown
	// FormatUnknown: nothing says how the stream's lines are to be read.
	FormatUnknown
	// ArchiveMissing: the archive lacks a range.
	ArchiveMissing
	// ArchiveBegins: the archive lacks the stream's beginning, as where old files
	// were deleted.
	ArchiveBegins
	// ArchiveDoubled: a range stands in the archive twice.
	ArchiveDoubled
	// ArchiveDamaged: bytes of an archive file are not what was written.
	ArchiveDamaged
	// LogDifferent: the log's bytes are not those of the archive.
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

// Difference is one of them, named.
type Difference struct {
	Kind Kind
	// Range is a line's or, for the archive, more.
	Range schema.Range
	// Text says more: which file, what instead.
	Text string
}

func (d Difference) String() string {
	s := fmt.Sprintf("%s: bytes %v", d.Kind, d.Range)
	if d.Text != "" {
		s += ": " + d.Text
	}
	return s
}

// Stream is what was found of one stream. Bytes are positions in the log.
type Stream struct {
	schema.StreamEntry
	// LogPath is where its log is, "" where it is not on this host any more.
	LogPath string
	// LogBytes = Stored + InFlight + Unread, where there is a log.
	LogBytes, InFlight, Unread int64
	// Pruned is what of it was removed because of its age.
	Pruned int64
	// ArchiveBytes is what the archive holds of what is stored, each byte once.
	ArchiveBytes int64
	// LinesRead, of archive and log, are Rows + Quarantined where nothing differs.
	// Later are rows beyond Stored, which are not compared.
	LinesRead, Rows, Quarantined, Later int64
	// Counts are the differences of each kind; Named are the first of them.
	Counts [kinds]int64
	Named  []Difference
}

// Differences is how many there are.
func (s *Stream) Differences() (n int64) {
	for _, c := range s.Counts {
		n += c
	}
	return n
}

// summary is their number by kind.
func (s *Stream) summary() string {
	var parts []string
	for k, n := range s.Counts {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", Kind(k), n))
		}
	}
	return strings.Join(parts, ", ")
}

// String is what is said of it in one line.
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

// Report is what an audit found.
type Report struct {
	Streams []*Stream // by host, path and id
	// Files is damage of archive files that belongs to no stream.
	Files []string
	// Foreign are archive files that no collector wrote.
	Foreign []string
	// Losses are lines of logs that were deleted before they were read, and nobody
	// acknowledged: no log, archive or table has them.
	Losses []checkpoint.Loss
	// Repairs are what was mended.
	Repairs Repairs
}

// Repairs are what Repair mended.
type Repairs struct {
	// Rows were written, and Streams entered into the table's directory.
	Rows, Streams int64
	// Restored are archive files made of what only a log had; Rewritten lack now what
	// stood twice or was damaged; Removed had nothing else.
	Restored, Rewritten, Removed []string
	// Left says what could not be mended, and what to do.
	Left []string
}

// Differences is how many there are in all.
func (r *Report) Differences() int64 {
	n := int64(len(r.Files)) + int64(len(r.Losses))
	for _, s := range r.Streams {
		n += s.Differences()
	}
	return n
}

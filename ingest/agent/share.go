package agent

import (
	"bytes"
	"iter"
	"sync/atomic"

	"sluice/ingest/logfile"
	"sluice/ingest/tail"
	"sluice/schema"
)

const (
	// minBatchBytes is the least batch size that a collector can ask for.
	minBatchBytes = 64 << 10
	// maxInFlightBytes is the limit of lines in flight with batches of tailBytes.
	maxInFlightBytes = 16 << 20
)

// share is the part of a collector's memory that it grants to this host, which is the smaller the
// more hosts it has. Its methods may be called concurrently.
type share struct{ batch atomic.Int64 }

// ask sets the batch size that the collector asks for; 0: none.
func (s *share) ask(bytes int) {
	if bytes == 0 {
		bytes = tailBytes
	}
	s.batch.Store(int64(min(max(bytes, minBatchBytes), tailBytes)))
}

// batchBytes is the limit of a batch's lines, unless one line is longer.
func (s *share) batchBytes() int {
	if n := int(s.batch.Load()); n > 0 {
		return n
	}
	return tailBytes
}

// inFlightBytes is the limit of the lines that are sent and not acknowledged. It falls with the
// square of the batch size, so that small batches are also fewer: 16 of 1 MiB, 4 of 256 KiB.
func (s *share) inFlightBytes() int64 {
	n := int64(s.batchBytes())
	return n * n / (tailBytes / (maxInFlightBytes / tailBytes))
}

// cut returns the batch in parts of at most n bytes, or of one longer line.
func cut(b tail.Batch, n int) iter.Seq[tail.Batch] {
	return func(yield func(tail.Batch) bool) {
		for len(b.Data) > n {
			at := bytes.LastIndexByte(b.Data[:n], '\n') + 1
			if at == 0 {
				if at = n + bytes.IndexByte(b.Data[n:], '\n') + 1; at == n {
					break
				}
			}
			part := b
			part.Range = schema.Range{Start: b.Start, End: b.Start + int64(at)}
			part.Data, part.Lines = b.Data[:at], logfile.CountLines(b.Data[:at])
			if !yield(part) {
				return
			}
			b.Data, b.Start, b.Lines = b.Data[at:], part.End, b.Lines-part.Lines
		}
		if len(b.Data) > 0 {
			yield(b)
		}
	}
}

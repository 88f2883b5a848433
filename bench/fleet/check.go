package fleet

import "fmt"

// Row records that a reader delivered a range of a stream: whole lines. It has their checksum, not
// their bytes.
type Row struct {
	Run    uint32 // number of the reader's start; within a run nothing may be delivered twice
	Stream uint64 // the reader's name of it
	First  LineID // of the first line
	Start  int64
	End    int64
	CRC    uint32 // CRC-32C of the range
	Lines  uint32
}

func (r Row) String() string {
	return fmt.Sprintf("stream %016x [%d,%d), from %s", r.Stream, r.Start, r.End, r.First)
}

// Report is the result of a check.
type Report struct {
	Lines int64 `json:"lines"` // number of written lines
	Bytes int64 `json:"bytes"`
	// Lost lines were never delivered, Doubled ones more than once (for a reader of ranges: in one
	// run), Torn ones with other bytes than written.
	Lost    int64 `json:"lost"`
	Doubled int64 `json:"doubled"`
	Torn    int64 `json:"torn"`
	// Again lines were also delivered by an earlier run, at the same position with the same bytes,
	// which is allowed after a kill.
	Again int64 `json:"again"`
	// Faults are the first problems, FaultCount the number of all.
	Faults     []string `json:"faults,omitempty"`
	FaultCount int      `json:"fault_count"`
}

const maxFaults = 20

// OK reports whether every line was delivered once and unchanged.
func (r *Report) OK() bool { return r.FaultCount == 0 && r.Lost == 0 && r.Doubled == 0 && r.Torn == 0 }

func (r *Report) fault(format string, args ...any) {
	r.FaultCount++
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

type lifeKey struct{ file, life int }

// progress is the delivered part of a life.
type progress struct {
	life   *Life
	stream uint64
	at     int64 // [0, at) was delivered
	run    uint32
	runAt  int64 // delivered by this run up to here
}

// Verify checks the ranges that a reader delivered, in the order of delivery. In each stream the
// ranges must be contiguous from 0 to the end; none may occur twice, except in another run; each
// must have the bytes that were written there; and a life must be in one stream only.
func Verify(l *Ledger, rows []Row) *Report {
	v := verifier{lives: map[lifeKey]*progress{}, streams: map[uint64]*Life{}}
	lines, bytes := l.total()
	v.report.Lines, v.report.Bytes = int64(lines), bytes
	for _, life := range l.Lives {
		v.lives[lifeKey{life.File, life.Life}] = &progress{life: life}
	}
	for _, row := range rows {
		v.row(row)
	}
	for _, life := range l.Lives {
		p := v.lives[lifeKey{life.File, life.Life}]
		if p.at < life.Bytes {
			delivered, _ := life.lineEndingAt(p.at)
			v.report.Lost += int64(life.Lines - delivered)
			v.report.fault("file %d life %d: bytes [%d,%d) were not delivered: %d lines", life.File, life.Life, p.at, life.Bytes, life.Lines-delivered)
		}
	}
	return &v.report
}

type verifier struct {
	report  Report
	lives   map[lifeKey]*progress
	streams map[uint64]*Life
}

func (v *verifier) row(row Row) {
	p := v.lives[lifeKey{row.First.File, row.First.Life}]
	if p == nil {
		v.report.Torn += int64(row.Lines)
		v.report.fault("%s: nothing like it was written", row)
		return
	}
	if life, known := v.streams[row.Stream]; known && life != p.life {
		v.report.fault("%s: the stream held file %d life %d before", row, life.File, life.Life)
	}
	v.streams[row.Stream] = p.life
	if p.at > 0 && p.stream != row.Stream {
		v.report.fault("%s: the same lines were delivered as stream %016x", row, p.stream)
	}
	if !p.life.holds(row) {
		v.report.Torn += int64(row.Lines)
		v.report.fault("%s: not the bytes that were written there", row)
		if row.Start >= row.End { // also rejects empty ranges
			return
		}
	}
	v.advance(p, row)
}

// advance moves the life's position to the end of a row that continues it.
func (v *verifier) advance(p *progress, row Row) {
	if row.Start > p.at {
		from, _ := p.life.lineEndingAt(p.at)
		to, _ := p.life.lineEndingAt(row.Start)
		v.report.Lost += int64(max(to-from, 0))
		v.report.fault("%s: a gap, bytes [%d,%d) are missing before it", row, p.at, row.Start)
	}
	if row.Run != p.run {
		p.run, p.runAt = row.Run, row.Start
	}
	from, _ := p.life.lineEndingAt(row.Start)
	if row.Start < p.runAt {
		to, _ := p.life.lineEndingAt(min(p.runAt, row.End))
		v.report.Doubled += int64(max(to-from, 0))
		v.report.fault("%s: bytes up to %d were delivered before", row, p.runAt)
	} else if row.Start < p.at {
		to, _ := p.life.lineEndingAt(min(p.at, row.End))
		v.report.Again += int64(max(to-from, 0))
	}
	p.runAt = max(p.runAt, row.End)
	p.at, p.stream = max(p.at, row.End), row.Stream
}

// holds reports whether the row is whole lines of the life with their bytes.
func (l *Life) holds(row Row) bool {
	from, ok1 := l.lineEndingAt(row.Start)
	to, ok2 := l.lineEndingAt(row.End)
	if !ok1 || !ok2 || from >= to || from != row.First.Seq || to-from != int(row.Lines) {
		return false
	}
	return between(l.before(from).crc, l.before(to).crc, row.End-row.Start) == row.CRC
}

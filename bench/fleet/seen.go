package fleet

import "math/bits"

// Seen records the lines that a reader without ranges read from one file.
type Seen struct {
	File    int        `json:"file"`
	Lives   [][]uint64 `json:"lives"` // one bit for each line, by life
	Doubled int64      `json:"doubled"`
	Torn    int64      `json:"torn"` // lines that were not whole
}

// Add records a line, without its newline.
func (s *Seen) Add(line []byte) (id LineID, nanos int64, ok bool) {
	id, nanos, ok = ParseLine(line)
	if !ok || id.File != s.File {
		s.Torn++
		return id, nanos, false
	}
	for id.Life >= len(s.Lives) {
		s.Lives = append(s.Lives, nil)
	}
	life := s.Lives[id.Life]
	word, bit := id.Seq/64, uint64(1)<<(id.Seq%64)
	for word >= len(life) {
		life = append(life, 0)
	}
	if life[word]&bit != 0 {
		s.Doubled++
	}
	life[word] |= bit
	s.Lives[id.Life] = life
	return id, nanos, true
}

// VerifySeen checks that each line of the ledger was seen once. It does not check the order, or the
// bytes after a line's id.
func VerifySeen(l *Ledger, seen []*Seen) *Report {
	r := &Report{}
	lines, bytes := l.total()
	r.Lines, r.Bytes = int64(lines), bytes
	byFile := map[int]*Seen{}
	for _, s := range seen {
		byFile[s.File] = s
		r.Doubled += s.Doubled
		r.Torn += s.Torn
		if s.Doubled > 0 || s.Torn > 0 {
			r.fault("file %d: %d lines doubled, %d torn", s.File, s.Doubled, s.Torn)
		}
	}
	for _, life := range l.Lives {
		got := 0
		if s := byFile[life.File]; s != nil && life.Life < len(s.Lives) {
			for _, word := range s.Lives[life.Life] {
				got += bits.OnesCount64(word)
			}
		}
		if got != life.Lines {
			r.Lost += int64(max(life.Lines-got, 0))
			r.fault("file %d life %d: %d of %d lines were delivered", life.File, life.Life, got, life.Lines)
		}
	}
	return r
}

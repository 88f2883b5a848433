package fleet

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"sluice/bench/sample"
)

// LineID identifies a line.
type LineID struct {
	File, Life, Seq int // each counts from 0
}

func (id LineID) String() string {
	return fmt.Sprintf("file %d life %d line %d", id.File, id.Life, id.Seq)
}

// A line begins with an address of fixed length, its time, and a path that begins with the line's
// id. So each is at a fixed position and is read without searching. The rest is a line of
// bench/sample.
const (
	linePrefix  = "203.0.113.107 - - ["
	lineTime    = "02/Jan/2006:15:04:05 -0700"
	lineRequest = `] "GET `
	linePath    = "/f00000/l0000/s00000000/t0000000000000000000"

	timeAt = len(linePrefix)
	pathAt = timeAt + len(lineTime) + len(lineRequest)
	fileAt = pathAt + len("/f")
	lifeAt = fileAt + 5 + len("/l")
	seqAt  = lifeAt + 4 + len("/s")
	nanoAt = seqAt + 8 + len("/t")
	lineAt = nanoAt + 19 // start of the sample's path

	maxFiles = 100_000
	maxLives = 10_000
	maxSeq   = 100_000_000

	templateCount = 512
)

// maker generates lines. It is not safe for concurrent use.
type maker struct {
	templates [][]byte
	second    int64 // time of the text in stamp
	stamp     []byte
}

func newMaker(seed uint64) *maker {
	m := &maker{second: -1}
	for from := seed; len(m.templates) < templateCount; from++ {
		var b bytes.Buffer
		_ = sample.Write(&b, from, 4*templateCount) // a bytes.Buffer returns no errors
		for line := range bytes.Lines(b.Bytes()) {
			if t, ok := template(line); ok && len(m.templates) < templateCount {
				m.templates = append(m.templates, t)
			}
		}
	}
	return m
}

// template inserts space for the id into a line of the sample; false if it is not an ordinary line.
func template(line []byte) ([]byte, bool) {
	_, rest, ok := bytes.Cut(line, []byte(lineRequest))
	if !ok || bytes.IndexByte(line, '\\') >= 0 || bytes.Count(line, []byte{'"'}) != 6 || !bytes.HasPrefix(rest, []byte("/")) || !bytes.HasSuffix(rest, []byte("\"\n")) {
		return nil, false
	}
	t := append([]byte(nil), linePrefix+lineTime+lineRequest+linePath...)
	return append(t, rest...), true
}

// appendLine appends the line with that id, written at now.
func (m *maker) appendLine(b []byte, id LineID, now time.Time, rng *rand.Rand) []byte {
	if s := now.Unix(); s != m.second {
		m.second, m.stamp = s, now.AppendFormat(m.stamp[:0], lineTime)
	}
	at := len(b)
	b = append(b, m.templates[rng.Uint64()%templateCount]...)
	line := b[at:]
	copy(line[timeAt:], m.stamp)
	putDigits(line[fileAt:fileAt+5], id.File)
	putDigits(line[lifeAt:lifeAt+4], id.Life)
	putDigits(line[seqAt:seqAt+8], id.Seq)
	strconv.AppendInt(line[nanoAt:nanoAt:lineAt], now.UnixNano(), 10)
	return b
}

func putDigits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// ParseLine returns the id and time of a line, with or without its newline; ok is false if it is
// not a whole line of a fleet. It does not allocate.
func ParseLine(line []byte) (id LineID, nanos int64, ok bool) {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	if len(line) <= lineAt || string(line[:timeAt]) != linePrefix || line[fileAt-1] != 'f' || line[lifeAt-1] != 'l' || line[seqAt-1] != 's' ||
		line[nanoAt-1] != 't' || line[lineAt] != '/' || line[len(line)-1] != '"' {
		return LineID{}, 0, false
	}
	file, ok1 := digits(line[fileAt : fileAt+5])
	life, ok2 := digits(line[lifeAt : lifeAt+4])
	seq, ok3 := digits(line[seqAt : seqAt+8])
	nanos, ok4 := digits(line[nanoAt:lineAt])
	return LineID{int(file), int(life), int(seq)}, nanos, ok1 && ok2 && ok3 && ok4
}

func digits(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

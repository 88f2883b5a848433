package tabletest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"sluice/schema"
)

// Fields are the fields of the combined format.
var Fields = []schema.Field{
	{Name: "client", Kind: schema.Addr, Directive: "%h"},
	{Name: "ident", Kind: schema.Text, Directive: "%l"},
	{Name: "user", Kind: schema.Text, Directive: "%u"},
	{Name: "time", Kind: schema.Time, Directive: "%t"},
	{Name: "method", Kind: schema.Text, Directive: "%r"},
	{Name: "path", Kind: schema.Text, Directive: "%r"},
	{Name: "protocol", Kind: schema.Text, Directive: "%r"},
	{Name: "status", Kind: schema.Int, Directive: "%>s"},
	{Name: "bytes", Kind: schema.Int, Directive: "%O"},
	{Name: "referer", Kind: schema.Text, Directive: "%{Referer}i"},
	{Name: "agent", Kind: schema.Text, Directive: "%{User-Agent}i"},
}

// Log generates lines of the combined format, of 226 bytes on average, like those of one web host:
// in time order, several a second. The same seed gives the same lines.
type Log struct {
	// Stream is the stream of the lines.
	Stream schema.Stream
	// Offset is the offset of the next line.
	Offset int64

	seconds int64
	rng     *rand.Rand
	rec     schema.Record
	line    []byte
}

// firstTime is the time of a Log's first lines, nanoseconds since 1970.
const firstTime = 1_788_393_600 * int64(time.Second) // 2026-09-03T00:00:00Z

// NewLog returns the log of a host.
func NewLog(host string, seed uint64) *Log {
	stream := schema.Stream{
		ID:   schema.NewStreamID(host, 1, seed, nil),
		Host: host, Path: "/var/log/apache2/access.log", Format: "combined",
	}
	return &Log{Stream: stream, seconds: firstTime / int64(time.Second), rng: rand.New(rand.NewPCG(seed, 1))}
}

// Next returns the next line as a record, with its offset. The record and its bytes are valid until
// the next call.
func (l *Log) Next() (*schema.Record, int64) {
	if l.rng.IntN(8) == 0 {
		l.seconds += int64(l.rng.IntN(3))
	}
	at := time.Unix(l.seconds, 0).UTC()
	l.line = l.line[:0]
	l.rec.Reset(nil, Fields)
	l.add(0, "", fmt.Sprintf("%d.%d.%d.%d", 1+l.rng.IntN(220), l.rng.IntN(256), l.rng.IntN(256), l.rng.IntN(256)), 0)
	l.add(1, " ", "-", 0)
	l.add(2, " ", "-", 0)
	l.add(3, " [", at.Format("02/Jan/2006:15:04:05 -0700"), at.UnixNano())
	l.add(4, `] "`, pick(l.rng, methods), 0)
	l.add(5, " ", fmt.Sprintf("/%s/%s-%d.html", pick(l.rng, words), pick(l.rng, words), l.rng.IntN(5000)), 0)
	l.add(6, " ", "HTTP/1.1", 0)
	status := pick(l.rng, statuses)
	l.add(7, `" `, fmt.Sprint(status), status)
	size := l.rng.Int64N(90_000)
	l.add(8, " ", fmt.Sprint(size), size)
	l.add(9, ` "`, fmt.Sprintf("https://www.example.org/%s/%s?q=%s", pick(l.rng, words), pick(l.rng, words), pick(l.rng, words)), 0)
	l.add(10, `" "`, pick(l.rng, agents), 0)
	l.line = append(l.line, '"')
	l.rec.Line, l.rec.Time, l.rec.Dated = l.line, at.UnixNano(), true
	offset := l.Offset
	l.Offset += int64(len(l.line)) + 1
	return &l.rec, offset
}

// add appends the text before a field, and the field; "-" is null.
func (l *Log) add(i int, before, text string, num int64) {
	l.line = append(l.line, before...)
	start := len(l.line)
	l.line = append(l.line, text...)
	if text != "-" {
		l.rec.Values[i] = schema.Value{Num: num, Start: uint32(start), End: uint32(len(l.line)), State: schema.InLine}
	}
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

var (
	methods  = []string{"GET", "GET", "GET", "GET", "GET", "GET", "POST", "HEAD"}
	statuses = []int64{200, 200, 200, 200, 200, 206, 301, 304, 404, 500}
	words    = []string{"about", "blog", "cart", "docs", "images", "kibana", "login", "news", "presentations",
		"products", "projects", "robots", "search", "static", "style", "tags", "wiki"}
	agents = []string{
		"Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.107 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.77 Safari/537.36",
		"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:27.0) Gecko/20100101 Firefox/27.0",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 6_0 like Mac OS X) AppleWebKit/536.26 (KHTML, like Gecko) Version/6.0 Mobile/10A5376e Safari/8536.25",
		"UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/",
	}
)

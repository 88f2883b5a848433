package segment

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"sluice/schema"
)

// sampleLines returns n lines of a combined log: few user agents, many paths and clients, as in
// real logs.
func sampleLines(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	agents := []string{
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.77 Safari/537.36",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:27.0) Gecko/20100101 Firefox/27.0",
		"-",
	}
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "%d.%d.%d.%d - - [17/May/2015:%02d:%02d:%02d +0000] \"GET /presentations/%d/images/%x.png?u=%d HTTP/1.1\" %d %d \"http://example.com/blog/%d\" \"%s\"\n",
			83, rng.IntN(256), rng.IntN(256), rng.IntN(256), i/3600%24, i/60%60, i%60,
			rng.IntN(40), rng.Uint32(), rng.IntN(1000), []int{200, 200, 200, 304, 404, 500}[rng.IntN(6)],
			rng.IntN(200000), rng.IntN(300), agents[rng.IntN(len(agents))])
	}
	return b.Bytes()
}

var sampleStream = &schema.Stream{ID: 0x0123456789abcdef, Host: "web01"}

// batchOf returns data as a batch that begins at start.
func batchOf(start int64, data []byte) schema.Batch {
	return schema.Batch{
		Stream: sampleStream,
		Range:  schema.Range{Start: start, End: start + int64(len(data))},
		Data:   data,
		Lines:  countLines(data),
	}
}

func newEncoder(t testing.TB) *Encoder {
	t.Helper()
	enc, err := NewEncoder(DefaultLevel)
	if err != nil {
		t.Fatal(err)
	}
	return enc
}

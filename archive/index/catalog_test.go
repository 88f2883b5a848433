package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/archive"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is an archive in memory: content by name.
type memory map[string][]byte

func (m memory) List(context.Context) ([]archive.File, error) {
	var files []archive.File
	for name, b := range m {
		files = append(files, archive.File{Name: name, Bytes: int64(len(b))})
	}
	slices.SortFunc(files, func(a, b archive.File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

type memoryReader struct{ *bytes.Reader }

func (memoryReader) Close() error { return nil }

func (m memory) Open(_ context.Context, name string) (archive.Reader, error) {
	b, ok := m[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return memoryReader{bytes.NewReader(b)}, nil
}

func pattern(t testing.TB) archive.Pattern {
	t.Helper()
	p, err := archive.ParsePattern("/logs/%Y%m%d/%{host}")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var stream = schema.Stream{ID: 1, Host: "web01", Path: "/var/log/access.log", Format: "common"}

// line returns line n, with a time on 2026-09-03 plus day days.
func line(n, day int) string {
	return fmt.Sprintf("192.0.2.1 - - [%02d/Sep/2026:10:00:%02d +0200] \"GET /%d HTTP/1.1\" 200 1\n", 3+day, n%60, n)
}

// batch returns lines n to n+k-1 as a batch that begins at start.
func batch(s *schema.Stream, start int64, day, n, k int) schema.Batch {
	var b strings.Builder
	for i := range k {
		b.WriteString(line(n+i, day))
	}
	return batchOf(s, start, b.String())
}

func batchOf(s *schema.Stream, start int64, data string) schema.Batch {
	lines := strings.Count(data, "\n")
	if !strings.HasSuffix(data, "\n") {
		lines++
	}
	return schema.Batch{Stream: s, Range: schema.Range{Start: start, End: start + int64(len(data))}, Data: []byte(data), Lines: lines}
}

// file returns the bytes of a segment.
func file(t testing.TB, batches ...schema.Batch) []byte {
	t.Helper()
	w, err := segment.Create(vfs.OS{}, filepath.Join(t.TempDir(), "1.gz"))
	if err != nil {
		t.Fatal(err)
	}
	enc, err := segment.NewEncoder(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if _, err := w.Append(enc, b); err != nil {
			t.Fatal(err)
		}
	}
	path, err := w.Seal()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func read(t testing.TB, a Archive) *Catalog {
	t.Helper()
	c, err := Read(t.Context(), a, pattern(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func problems(t testing.TB, c *Catalog) (found []string) {
	t.Helper()
	if err := c.Verify(t.Context(), pattern(t), func(p Problem) { found = append(found, p.String()) }); err != nil {
		t.Fatal(err)
	}
	return found
}

const (
	day3 = "20260903/web01/access.c1-000001.log.gz"
	day4 = "20260904/web01/access.c1-000002.log.gz"
)

func TestVerifyReportsWhatIsWrong(t *testing.T) {
	first := batch(&stream, 0, 0, 0, 5)
	second := batch(&stream, first.Range.End, 0, 5, 5)
	third := batch(&stream, second.Range.End, 1, 10, 5)
	late := batch(&stream, 1000, 0, 0, 5)
	undated := batchOf(&stream, 0, line(1, 0)+"no line\n"+line(2, 0))
	other := stream
	other.Host = "web02"
	sound := file(t, first, second)
	broken := func(at int) []byte { b := bytes.Clone(sound); b[at] ^= 8; return b }
	cases := map[string]struct {
		archive memory
		want    []string // the text of each problem, in order
	}{
		"nothing":              {memory{day3: sound, day4: file(t, third)}, nil},
		"an undated line":      {memory{day3: file(t, undated)}, nil},
		"begins later":         {memory{day3: file(t, second)}, nil},
		"a foreign file":       {memory{day3: sound, "20260903/web01/part-0001": []byte("x"), "_x": nil}, nil},
		"a hole":               {memory{day3: file(t, first), day4: file(t, third)}, []string{"bytes [335,670): missing"}},
		"doubled":              {memory{day3: file(t, first, first, second)}, []string{"[0,335): is in the archive twice"}},
		"overlapping":          {memory{day3: file(t, first, batch(&stream, 67, 0, 1, 9))}, []string{"[67,335): is in the archive twice"}},
		"another day":          {memory{day4: file(t, first)}, []string{"belongs in 20260903/web01, and so do 5 of its 5 lines"}},
		"one line":             {memory{day3: file(t, batchOf(&stream, 0, line(1, 0)+line(2, 1)))}, []string{"the line at byte 67 belongs in 20260904/web01, and so do 1 of its 2 lines"}},
		"another host":         {memory{"20260903/web02/access.c1-000001.log.gz": sound}, []string{"lines of host web01 in a file of web02", "lines of host web01 in a file of web02"}},
		"no such name":         {memory{"web01/access.c1-000001.log.gz": sound}, []string{"its name does not match the archive's pattern"}},
		"an empty file":        {memory{day3: {}}, []string{"the file is empty"}},
		"a file of zeros":      {memory{day3: make([]byte, 500)}, []string{"500 bytes at byte 0 are not a gzip member of sluice"}},
		"torn":                 {memory{day3: sound[:len(sound)-5]}, []string{"are not a gzip member of sluice: the file ends after"}},
		"a changed header":     {memory{day3: broken(20)}, []string{"are not a gzip member of sluice: the header's checksum is wrong"}},
		"changed lines":        {memory{day3: broken(len(sound) - 6)}, []string{"the checksum of its lines is wrong"}},
		"a changed entry":      {memory{day3: broken(80)}, []string{"the checksum of its stream's entry is wrong"}},
		"far away":             {memory{day3: file(t, first, late)}, []string{"bytes [335,1000): missing"}},
		"two hosts in one day": {memory{day3: sound, "20260903/web02/access.c1-000001.log.gz": file(t, batchOf(&schema.Stream{ID: 2, Host: "web02", Format: "common"}, 0, line(1, 0)))}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := problems(t, read(t, c.archive))
			ok := len(got) == len(c.want)
			for i := range min(len(got), len(c.want)) {
				ok = ok && strings.Contains(got[i], c.want[i])
			}
			if !ok {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestFilesAreOfOneLabel checks that a file's labels are those of its members, and those in its
// name if the members have none.
func TestFilesAreOfOneLabel(t *testing.T) {
	p, err := archive.ParsePattern("/logs/%{label:site}/%Y%m%d")
	if err != nil {
		t.Fatal(err)
	}
	labelled := func(b schema.Batch, site string) schema.Batch {
		b.Labels = map[string]string{"site": site, "other": site}
		return b
	}
	first := batch(&stream, 0, 0, 0, 5)
	second := batch(&schema.Stream{ID: 2, Host: "web01", Format: "common"}, 0, 0, 0, 5)
	bare := batch(&schema.Stream{ID: 3}, 0, 0, 0, 5)
	third := batch(&stream, first.Range.End, 0, 5, 5)
	for name, c := range map[string]struct {
		archive memory
		site    string // of the first file
		want    string // the problem; "": none
	}{
		"right":                {memory{"a/20260903/access.c1-1.log.gz": file(t, labelled(first, "a"), labelled(second, "a"))}, "a", ""},
		"none":                 {memory{"unknown/20260903/access.c1-1.log.gz": file(t, first)}, "", ""},
		"relabelled":           {memory{"a/20260903/access.c1-1.log.gz": file(t, labelled(first, "a")), "b/20260903/access.c1-2.log.gz": file(t, labelled(third, "b"))}, "a", ""},
		"relabelled, back":     {memory{"b/20260903/access.c1-1.log.gz": file(t, labelled(first, "b")), "a/20260903/access.c1-2.log.gz": file(t, labelled(third, "a"))}, "a", ""},
		"in another's":         {memory{"b/20260903/access.c1-1.log.gz": file(t, labelled(first, "a"))}, "a", "belongs in a/20260903, and so do 5"},
		"two in one":           {memory{"a/20260903/access.c1-1.log.gz": file(t, labelled(first, "a"), labelled(second, "b"))}, "a", "other labels than its first line"},
		"nothing is described": {memory{"a/20260903/access.c1-1.log.gz": file(t, bare)}, "a", ""},
		"no such value":        {memory{"%61/20260903/access.c1-1.log.gz": file(t, labelled(first, "a"))}, "a", "its name does not match the archive's pattern"},
	} {
		held, err := Read(t.Context(), c.archive, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := held.Files[0].Labels["site"]; got != c.site {
			t.Errorf("%s: the site is %q", name, got)
		}
		var found []string
		if err := held.Verify(t.Context(), p, func(p Problem) { found = append(found, p.String()) }); err != nil {
			t.Fatal(err)
		}
		if len(found) > 1 || (c.want == "") != (len(found) == 0) || len(found) == 1 && !strings.Contains(found[0], c.want) {
			t.Errorf("%s: got %q, want %q", name, found, c.want)
		}
		if s := held.Streams[1]; strings.HasPrefix(name, "relabelled") && s.Entry.Labels["site"] != map[string]string{"relabelled": "b", "relabelled, back": "a"}[name] {
			t.Errorf("%s: the stream's labels are %v", name, s.Entry.Labels)
		}
	}
}

func TestForeignFilesAreListedAndSkipped(t *testing.T) {
	c := read(t, memory{day3: file(t, batch(&stream, 0, 0, 0, 5)), "20260903/web01/part-0001": []byte("x"), "README": nil})
	var foreign []string
	for i := range c.Files {
		if c.Files[i].Foreign {
			foreign = append(foreign, c.Files[i].Name)
		}
	}
	if !slices.Equal(foreign, []string{"20260903/web01/part-0001", "README"}) || len(c.Members) != 1 {
		t.Errorf("foreign %v, %d members", foreign, len(c.Members))
	}
}

func TestCatIsTheLogByteForByte(t *testing.T) {
	a, b := batch(&stream, 0, 0, 0, 5), batch(&stream, 335, 0, 5, 5)
	second := schema.Stream{ID: 2, Host: "web01", Path: "/other", Format: "common"}
	torn := batchOf(&stream, 0, line(1, 0)+"torn")
	rest := batchOf(&stream, torn.Range.End, " off\n")
	other := batch(&second, 0, 0, 0, 1)
	day := time.Date(2026, 9, 3, 8, 0, 2, 0, time.UTC).UnixNano()
	for name, c := range map[string]struct {
		archive memory
		cat     Cat
		want    string
	}{
		"two files":           {memory{day3: file(t, a), day4: file(t, b)}, Cat{}, string(a.Data) + string(b.Data)},
		"doubled":             {memory{day3: file(t, a, a, b), day4: file(t, b)}, Cat{}, string(a.Data) + string(b.Data)},
		"its rest follows":    {memory{day3: file(t, torn, rest)}, Cat{}, line(1, 0) + "torn off\n"},
		"another log follows": {memory{day3: file(t, torn, other, rest)}, Cat{}, line(1, 0) + "torn\n" + line(0, 0) + " off\n"},
		"the end is torn":     {memory{day3: file(t, torn)}, Cat{}, line(1, 0) + "torn"},
		"from":                {memory{day3: file(t, a)}, Cat{From: day}, line(2, 0) + line(3, 0) + line(4, 0)},
		"to":                  {memory{day3: file(t, a)}, Cat{To: day}, line(0, 0) + line(1, 0)},
	} {
		var out bytes.Buffer
		if err := read(t, c.archive).Cat(t.Context(), &out, c.cat); err != nil || out.String() != c.want {
			t.Errorf("%s: %v, %q, want %q", name, err, out.String(), c.want)
		}
	}
}

func TestCatStopsAtDamage(t *testing.T) {
	b := file(t, batch(&stream, 0, 0, 0, 5))
	b[len(b)-6] ^= 1
	var bad *segment.FormatError
	if err := read(t, memory{day3: b}).Cat(t.Context(), &bytes.Buffer{}, Cat{}); !errors.As(err, &bad) || !strings.Contains(err.Error(), day3) {
		t.Errorf("%v", err)
	}
}

func TestGroupsCountByHostAndDay(t *testing.T) {
	a, b := batch(&stream, 0, 0, 0, 5), batch(&stream, 335, 0, 5, 5)
	c := read(t, memory{day3: file(t, a, b), "20260903/web01/access.c1-000009.log.gz": file(t, batch(&stream, 1000, 0, 0, 1)), day4: file(t, batch(&stream, 670, 1, 10, 1)), "x": nil})
	var got []string
	for _, g := range c.Groups() {
		got = append(got, fmt.Sprint(g.DayText(), g.Host, g.Files, g.Lines, g.LogBytes, g.Ranges))
	}
	want := []string{"2026-09-03web012 11 737 map[0000000000000001:[[0,670) [1000,1067)]]", "2026-09-04web011 1 68 map[0000000000000001:[[670,738)]]"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// FuzzRead checks that reading ends for any bytes, and finds the intact members before and after
// damage.
func FuzzRead(f *testing.F) {
	a, b := batch(&stream, 0, 0, 0, 5), batch(&stream, 335, 0, 5, 5)
	sound := file(f, a, b)
	f.Add(sound)
	f.Add(sound[:len(sound)-20])
	f.Add(append(bytes.Clone(sound[30:]), sound...))
	f.Add([]byte("\x1f\x8b\x08\x04"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		archive := memory{day3: content, day4: sound}
		c := read(t, archive)
		at := int64(0)
		for i := range c.Files[0].Members {
			m := &c.Members[i]
			if m.Offset < at || m.End() > int64(len(content)) {
				t.Fatalf("member %+v after byte %d of %d", m, at, len(content))
			}
			at = m.End()
		}
		if c.Files[1].Members != 2 {
			t.Fatalf("the file behind it has %d members", c.Files[1].Members)
		}
		problems(t, c)
		var out bytes.Buffer
		var bad *segment.FormatError
		if err := c.Cat(t.Context(), &out, Cat{}); err != nil && !errors.As(err, &bad) {
			t.Fatal(err)
		}
		c.Groups()
	})
}

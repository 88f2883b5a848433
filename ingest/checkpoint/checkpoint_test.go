package checkpoint

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs/crashfs"
	"sluice/schema"
)

// Two files of one device.
var (
	log12 = logfile.ID{Device: 1, Inode: 2}
	log19 = logfile.ID{Device: 1, Inode: 9}
)

func openText(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

// identify calls Logs.Identify for a log whose content is text.
func identify(t testing.TB, c *File, id logfile.ID, text string) *Stream {
	t.Helper()
	return identifyAt(t, c, "missing/access.log", id, text)
}

func identifyAt(t testing.TB, c *File, path string, id logfile.ID, text string) *Stream {
	t.Helper()
	tracked, err := c.Logs.Identify(schema.StreamEntry{Stream: schema.Stream{Host: "web01", Path: path, Format: "common"}}, Log{Path: path, ID: id, Start: []byte(text), Open: openText(text)})
	if err != nil {
		t.Fatal(err)
	}
	return tracked
}

// A damaged checkpoint is an error, because starting without it would store every line twice.
func TestADamagedCheckpointIsAnError(t *testing.T) {
	good := crashfs.New()
	c, err := Open(good, "/checkpoint", "c1")
	if err != nil {
		t.Fatal(err)
	}
	identify(t, c, log12, "first\n")
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	read := func(fs *crashfs.FS) []byte {
		f, err := fs.OpenFile("/checkpoint", os.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	whole := read(good)
	damaged := map[string][]byte{
		"empty": {}, "torn": whole[:len(whole)/2], "foreign": []byte("[section]\nkey = value\n"),
		"without its checksum": whole[:len(whole)-10],
	}
	for i := range whole[:len(whole)-1] {
		b := append([]byte(nil), whole...)
		b[i] ^= 1
		damaged["bit "+string(rune('0'+i%10))+" flipped "+strings.Repeat("i", i)] = b
	}
	for name, b := range damaged {
		fs := crashfs.New()
		f, err := fs.OpenFile("/checkpoint", os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(fs, "/checkpoint", "c1"); !errors.Is(err, ErrDamaged) {
			t.Errorf("%.40s: %v, want ErrDamaged", name, err)
		}
	}
}

// TestIdentity has one file a row, and whether it is the stream.
func TestIdentity(t *testing.T) {
	const log = "first\nsecond\nthird\n"
	start := func(t *testing.T) (*File, *Stream) {
		c, err := Open(crashfs.New(), "/checkpoint", "c1")
		if err != nil {
			t.Fatal(err)
		}
		tracked := identify(t, c, log12, log)
		tracked.Stored = int64(len(log))
		c.Fingerprints.Remember(tracked, []byte(log), int64(len(log)))
		return c, tracked
	}
	for _, test := range []struct {
		name string
		path string
		id   logfile.ID
		text string
		same bool
	}{
		{"the log itself", "missing/access.log", log12, log, true},
		{"the log, grown", "missing/access.log", log12, log + "fourth\n", true},
		{"the log, renamed", "missing/old", log12, log, true},
		{"the inode used again by another log", "missing/access.log", log12, "other\n", false},
		{"a rotated copy", "missing/access.log.1", log19, log, true},
		{"a compressed copy", "missing/access.log-20260901.gz", log19, log, true},
		{"a copy that has more", "missing/access.log.12.zst", log19, log + "fourth\n", true},
		{"another virtual host's log of the same lines", "missing/shop-access.log", log19, log, false},
		{"a log of the same lines in another folder", "missing/shop/access.log", log19, log, false},
		{"another log that begins alike", "missing/access.log.1", log19, "first\nsecond\nother\n", false},
		{"a copy that was cut", "missing/access.log.1", log19, "first\nsec", false},
		{"the inode on another device", "missing/access.log", logfile.ID{Device: 3, Inode: 2}, "x\n", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, tracked := start(t)
			got := identifyAt(t, c, test.path, test.id, test.text)
			if same := got == tracked; same != test.same {
				t.Errorf("same stream: %v, want %v", same, test.same)
			}
			if again := identifyAt(t, c, test.path, test.id, test.text); again != got {
				t.Errorf("the second look finds another stream")
			}
		})
	}
	t.Run("a first line that was cut when it was seen first", func(t *testing.T) {
		c, err := Open(crashfs.New(), "/checkpoint", "c1")
		if err != nil {
			t.Fatal(err)
		}
		if identify(t, c, log12, "fir") != identify(t, c, log12, log) {
			t.Error("the log became another stream when its first line was finished")
		}
	})
}

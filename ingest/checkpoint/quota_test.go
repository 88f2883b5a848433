package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/ingest/segment/vfs/crashfs"
	"sluice/schema"
)

func opened(t *testing.T, fs *crashfs.FS) *File {
	t.Helper()
	c, err := Open(fs, "/checkpoint", "c1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func entryOf(host string, id schema.StreamID, path string) schema.StreamEntry {
	return schema.StreamEntry{Stream: schema.Stream{ID: id, Host: host, Path: path, Format: "common"}}
}

// The number of a host's streams is limited, independently of other hosts, and counted again after
// a restart and Forget.
func TestAHostHasItsQuotaOfStreams(t *testing.T) {
	fs := crashfs.New()
	c := opened(t, fs)
	quota := Quota{HostStreams: 3, Streams: 5}
	c.Declared.SetQuota(quota)
	at := time.Unix(1_000_000, 0)
	declare := func(host string, id schema.StreamID, refused bool) {
		t.Helper()
		if _, err := c.Declared.Declare(entryOf(host, id, "/a.log"), true, at); errors.Is(err, ErrQuota) != refused {
			t.Errorf("host %s, stream %s: %v", host, id, err)
		}
		at = at.Add(time.Second)
	}
	for id := range schema.StreamID(3) {
		declare("evil", id, false)
	}
	declare("evil", 3, true)
	declare("evil", 1, false) // it is known
	declare("web01", 11, false)
	declare("web01", 12, false)
	declare("web02", 21, true) // the limit of all hosts
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	c = opened(t, fs)
	c.Declared.SetQuota(quota)
	declare("evil", 4, true)
	if idle := c.Declared.Idle("evil", at); len(idle) != 3 {
		t.Errorf("%d are idle", len(idle))
	}
	c.Forget(func(t *Stream) bool { return t.ID == 2 })
	declare("evil", 4, false)
	declare("evil", 5, true)
	if idle := c.Declared.Idle("evil", at); len(idle) != 3 || idle[2].ID != 4 {
		t.Errorf("the longest idle is not first: %+v", idle)
	}
}

// The text of a host's streams is limited: paths, formats and labels, by their length in the file.
func TestAHostHasItsQuotaOfText(t *testing.T) {
	c := opened(t, crashfs.New())
	c.Declared.SetQuota(Quota{HostBytes: 1000, Bytes: 1500})
	now := time.Unix(1, 0)
	declare := func(host string, id schema.StreamID, text string, refused bool) {
		t.Helper()
		if _, err := c.Declared.Declare(entryOf(host, id, "/"+text), true, now); errors.Is(err, ErrQuota) != refused {
			t.Errorf("%s %d with %d bytes: %v", host, id, len(text), err)
		}
	}
	declare("evil", 1, strings.Repeat("a", 900), false)
	declare("evil", 2, strings.Repeat("a", 100), true)
	declare("web01", 3, strings.Repeat("\x01", 180), true) // 1,080 in JSON
	declare("web01", 3, strings.Repeat("\xff", 70), false)
	declare("web02", 4, strings.Repeat("a", 200), true) // the limit of all hosts
	e := entryOf("web01", 3, "/")
	e.Labels = map[string]string{"site": strings.Repeat("x", 600)}
	if _, err := c.Declared.Declare(e, true, now); !errors.Is(err, ErrQuota) {
		t.Errorf("labels that came later: %v", err)
	}
	e.Labels["site"] = strings.Repeat("x", MaxLabelBytes)
	if _, err := c.Declared.Declare(e, true, now); err == nil || errors.Is(err, ErrQuota) {
		t.Errorf("labels that are too long for any: %v", err)
	}
}

// No text takes more bytes in the file than are counted for its host's quota.
func FuzzEscapedBytes(f *testing.F) {
	for _, s := range []string{"/var/log/a.log", "\x00\x1f\"\\<>&", "caf\xe9", "b\u00fccher\u2028", "\U0001F600\x7f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if n := escapedBytes(s); int64(len(b)-2) > n {
			t.Errorf("%q takes %d bytes, %d are counted", s, len(b)-2, n)
		}
	})
}

// Save writes nothing that Open would reject, and leaves the existing file.
func TestSaveWritesNothingThatOpenCannotRead(t *testing.T) {
	fs := crashfs.New()
	c := opened(t, fs)
	now := time.Unix(1, 0)
	if _, err := c.Declared.Declare(entryOf("web01", 1, "/a.log"), true, now); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	c.maxBytes = 10_000
	for id := range schema.StreamID(100) {
		if _, err := c.Declared.Declare(entryOf("web01", 2+id, fmt.Sprintf("/%d.log", id)), true, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Save(); err == nil || !strings.Contains(err.Error(), "can be read again") {
		t.Errorf("saved: %v", err)
	}
	if n := len(opened(t, fs).Streams()); n != 1 {
		t.Errorf("the file has %d streams", n)
	}
	if names := fs.Names(); len(names) != 1 {
		t.Errorf("files left: %q", names)
	}
}

// A stream that a host names by another host's id is a stream of its own, with another id in the
// table.
func TestAHostReachesNoStreamOfAnother(t *testing.T) {
	c := opened(t, crashfs.New())
	now := time.Unix(1, 0)
	seed := schema.NewStreamSeed(1, 2, []byte("first\n"))
	theirs := seed.ID("web01")
	declare := func(host string, own bool) *Stream {
		t.Helper()
		s, err := c.Declared.Declare(entryOf(host, theirs, "/a.log"), own, now)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	evil := declare("evil", seed.ID("evil") == theirs) // it names the id first
	honest := declare("web01", seed.ID("web01") == theirs)
	if honest.ID != theirs || evil.ID == theirs || evil.Host != "evil" || honest.Host != "web01" {
		t.Errorf("evil has %s, web01 %s; the id is %s", evil.ID, honest.ID, theirs)
	}
	if declare("evil", false) != evil || declare("web01", true) != honest || c.Declared.Known("evil", theirs) != evil || c.Declared.Known("web01", theirs) != honest {
		t.Error("named again they are other streams")
	}
	if other := declare("web02", false); other == evil || other.ID == evil.ID {
		t.Error("two hosts that name one id have one stream")
	}
}

package region

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"sluice/hadoop/protobuf"
	"sluice/hbase/rpc"
	"sluice/hbase/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func at(start, end string) *Region {
	return &Region{Name: []byte("t," + start), Start: []byte(start), End: []byte(end), Server: rpc.Server{Host: "a", Port: 1}}
}

func TestARegionThatIsFoundTakesThePlaceOfThoseItOverlaps(t *testing.T) {
	table := (&Cluster{}).Table("t")
	for _, r := range []*Region{at("", "c"), at("c", "f"), at("f", "")} {
		table.insert(r)
	}
	for key, want := range map[string]string{"": "", "b": "", "c": "c", "e\xff": "c", "f": "f", "z": "f"} {
		if r := table.Known([]byte(key)); r == nil || string(r.Start) != want {
			t.Errorf("%q: %v, want the region from %q", key, r, want)
		}
	}
	table.insert(at("b", "d")) // a merge and a split later
	for key, known := range map[string]bool{"a": false, "b": true, "d": false, "f": true} {
		if r := table.Known([]byte(key)); (r != nil) != known {
			t.Errorf("%q: %v", key, r)
		}
	}
	r := table.Known([]byte("b"))
	table.Moved(r, rpc.Server{Host: "b", Port: 2})
	moved := table.Known([]byte("b"))
	if moved == nil || moved.Server.Host != "b" || r.Server.Host != "a" {
		t.Errorf("moved: %v, before: %v", moved, r)
	}
	table.Drop(r) // regions that were found since then stay
	if table.Known([]byte("b")) == nil {
		t.Error("an old region dropped the new one")
	}
	table.Drop(moved)
	if table.Known([]byte("b")) != nil {
		t.Error("still there")
	}
}

// Two servers that each moved the region to the other one, and no longer have it, redirect to each
// other until these redirects expire.
func TestCyclicRedirectsOfARegionEnd(t *testing.T) {
	table := (&Cluster{}).Table("t")
	table.insert(at("", ""))
	for _, to := range []string{"b", "a"} {
		if r := table.Known([]byte("k")); r != nil {
			table.Moved(r, rpc.Server{Host: to, Port: 1})
		}
	}
	if r := table.Known([]byte("k")); r != nil {
		t.Errorf("the second redirect left its server at %v", r.Server)
	}
}

func TestARowOfTheMetaTable(t *testing.T) {
	row := func(server string, offline bool) []wire.Cell {
		info := protobuf.AppendBytes(protobuf.AppendBytes([]byte("PBUF"), 3, "a"), 4, "b")
		info = protobuf.AppendBool(info, 5, offline)
		return []wire.Cell{
			{Row: []byte("t,a,1.x."), Qualifier: []byte("regioninfo"), Value: info},
			{Row: []byte("t,a,1.x."), Qualifier: []byte("server"), Value: []byte(server)},
		}
	}
	r, err := parseRegion(row("rs:16020", false))
	if err != nil || r.Server.Address() != "rs:16020" || string(r.Start) != "a" || string(r.End) != "b" {
		t.Errorf("%+v, %v", r, err)
	}
	for name, c := range map[string]struct {
		cells []wire.Cell
		want  error
	}{
		"no server yet":  {row("", false), errNotOpen},
		"a split parent": {row("rs:16020", true), errNotOpen},
		"no port":        {row("rs", false), wire.ErrMalformed},
		"port 0":         {row("rs:0", false), wire.ErrMalformed},
		"no regioninfo":  {row("rs:16020", false)[1:], wire.ErrMalformed},
	} {
		if _, err := parseRegion(c.cells); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func znode(host string) []byte {
	server := protobuf.AppendUint(protobuf.AppendUint(protobuf.AppendBytes(nil, 1, host), 2, 16000), 3, 7)
	b := append(binary.BigEndian.AppendUint32([]byte{0xff}, 3), "id1PBUF"...)
	return protobuf.AppendBytes(b, 1, server)
}

func TestANodeOfZooKeeper(t *testing.T) {
	s, err := parseZNode(znode("m"))
	if err != nil || s != (rpc.Server{Host: "m", Port: 16000, StartCode: 7}) {
		t.Errorf("%+v, %v", s, err)
	}
	whole := znode("m")
	for n := range whole {
		if _, err := parseZNode(whole[:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func FuzzNodes(f *testing.F) {
	f.Add(znode("m"))
	f.Add(bytes.Repeat([]byte{0xff}, 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseZNode(b); err == nil && checkServer(s) != nil {
			t.Errorf("%x: %+v", b, s)
		}
	})
}

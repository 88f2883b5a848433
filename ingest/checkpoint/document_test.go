package checkpoint

import (
	"io"
	"os"
	"testing"

	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
)

// everyField is a checkpoint with all fields, as it is written.
const everyField = `{"sluice":"checkpoint","version":1,"collector":"c1","seq":7,"streams":[` +
	`{"ID":7,"Host":"web01","Path":"/l/caf\ufffd.log","Format":"common","Zone":"UTC","Sparse":true,"Labels":{"site":"shop"},"First":0,"Last":0,"Stored":40,"Lines":0,"ParseErrors":0,` +
	`"seed":"00112233445566778899aabbccddeeff","missing":[{"Start":3,"End":9}],"files":[{"device":1,"inode":2},{"device":1,"inode":9}],` +
	`"head_bytes":6,"head":"a1b2c3d4e5f60718293a4b5c","tail_bytes":12,"tail":"0102030405060708090a0b0c","tail_at":40,"marks":[[0,40,123]],` +
	`"born_ns":[5,6],"path_bytes":"L2wvY2Fm6S5sb2c=","last_path":"/old/caf\ufffd.log","last_path_bytes":"L29sZC9jYWbpLmxvZw==","seen_bytes":60,` +
	`"skipped_bytes":2,"lost_bytes":3,"grown_unix":100,"gone_unix":200}],` +
	`"unmarked":[{"dir":"20261128/web01","start":"2026-11-28T00:00:00Z"}],"hosts":["web01","web02"],` +
	`"losses":[{"path":"/l/a\ufffd","path_bytes":"L2wvYek=","stream":7,"from":1,"bytes":2,"unknown":true,"at_unix":3,"number":3000000,"joined":4}],"last_loss":3000000}`

// TestTheFormatOfTheFileIsStable: older and newer versions read each other's file.
func TestTheFormatOfTheFileIsStable(t *testing.T) {
	fs := crashfs.New()
	c, err := Open(fs, "/checkpoint", "c2")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.decode(vfs.WithSum([]byte(everyField))); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	f, err := fs.OpenFile("/checkpoint", os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	body, err := vfs.WithoutSum(b)
	if err != nil {
		t.Fatal(err)
	}
	if string(body) != everyField {
		t.Errorf("written:\n%s\nwant:\n%s", body, everyField)
	}
}

package protection

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"sluice/hadoop/protobuf"
)

func TestDataKeyIsFetched(t *testing.T) {
	key := protobuf.AppendBytes(protobuf.AppendUint(nil, 1, uint64(0xffffffff)), 2, "BP-1")
	whole := protobuf.AppendBytes(protobuf.AppendBytes(key, 3, "nonce"), 4, "key")
	for _, c := range []struct {
		what   string
		answer []byte
		want   *DataKey
		is     string
	}{
		{"a key", packet(answer(0, 0, "", ""), protobuf.AppendBytes(nil, 1, whole)), &DataKey{"-1 BP-1 bm9uY2U=", base64.StdEncoding.EncodeToString([]byte("key"))}, ""},
		{"none", packet(answer(0, 0, "", ""), []byte{}), nil, ""},
		{"half of one", packet(answer(0, 0, "", ""), protobuf.AppendBytes(nil, 1, key)), nil, "it is empty"},
		{"a refusal", packet(answer(0, 1, "org.apache.hadoop.ipc.StandbyException", "not active"), nil), nil, "StandbyException"},
	} {
		ours, theirs := net.Pipe()
		asked := make(chan error, 1)
		go func() {
			asked <- readCalls(theirs)
			_, _ = theirs.Write(c.answer)
		}()
		got, err := FetchDataKey(ours, "somebody@REALM")
		if c.is == "" && err != nil || c.is != "" && (err == nil || !strings.Contains(err.Error(), c.is)) {
			t.Errorf("%s: %v, want %q", c.what, err, c.is)
		}
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s is %v, want %v", c.what, got, c.want)
		}
		if err := <-asked; err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		ours.Close()
		theirs.Close()
	}
}

// readCalls reads a preamble, a connection context and a call.
func readCalls(r io.Reader) error {
	head := make([]byte, preambleBytes)
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	var calls string
	for range 2 {
		var n uint32
		if err := binary.Read(r, binary.BigEndian, &n); err != nil {
			return err
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		calls += string(b)
	}
	if !strings.Contains(calls, "somebody@REALM") || !strings.Contains(calls, "getD") {
		return errors.New("it asks something else")
	}
	return nil
}

package protection

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"sluice/hadoop/protobuf"
)

func TestADelegationTokenIsFetched(t *testing.T) {
	whole := protobuf.AppendBytes(protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, "who"), 2, "secret"), 3, "HDFS_DELEGATION_TOKEN")
	for _, c := range []struct {
		what   string
		answer []byte
		is     string // the error; empty: none
	}{
		{"a token", packet(answer(0, 0, "", ""), protobuf.AppendBytes(nil, 1, whole)), ""},
		{"none", packet(answer(0, 0, "", ""), []byte{}), "it is empty"},
		{"half of one", packet(answer(0, 0, "", ""), protobuf.AppendBytes(nil, 1, protobuf.AppendBytes(nil, 1, "who"))), "it is empty"},
		{"a broken one", packet(answer(0, 0, "", ""), protobuf.AppendBytes(nil, 1, []byte{0x0a, 200})), "the delegation token"},
		{"a refusal", packet(answer(0, 1, "java.io.IOException", "only with Kerberos"), nil), "only with Kerberos"},
	} {
		ours, theirs := net.Pipe()
		go func() {
			_ = readCalls(theirs)
			_, _ = theirs.Write(c.answer)
		}()
		got, err := FetchToken(ours, "somebody@REALM", "renewer")
		if c.is == "" && err != nil || c.is != "" && (err == nil || !strings.Contains(err.Error(), c.is)) {
			t.Errorf("%s: %v, want %q", c.what, err, c.is)
		}
		if c.is == "" && (!bytes.Equal(got.Identifier, []byte("who")) || !bytes.Equal(got.Password, []byte("secret")) || got.Kind != "HDFS_DELEGATION_TOKEN") {
			t.Errorf("%s is %+v", c.what, got)
		}
		ours.Close()
		theirs.Close()
	}
}

package protection

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"sluice/hadoop/protobuf"
)

// packet is an answer of a name node.
func packet(header, message []byte) []byte {
	b := protobuf.AppendDelimited(nil, header)
	if message != nil {
		b = protobuf.AppendDelimited(b, message)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// answer is the header of one.
func answer(call int32, status uint64, class, text string) []byte {
	b := protobuf.AppendUint(protobuf.AppendUint(nil, 1, uint64(uint32(call))), 2, status)
	return protobuf.AppendBytes(protobuf.AppendBytes(b, 4, class), 5, text)
}

func TestNameNodesAnswers(t *testing.T) {
	good := packet(answer(callSASL, 0, "", ""), protobuf.AppendBytes(protobuf.AppendUint(nil, 2, stateChallenge), 3, "token"))
	var buffer bytes.Buffer
	m, err := readAnswer(bytes.NewReader(good), &buffer, 100)
	if err != nil || m.state != stateChallenge || string(m.token) != "token" {
		t.Errorf("%+v, %v", m, err)
	}
	for _, c := range []struct {
		what   string
		answer []byte
		want   string
		is     error
	}{
		{"a ticket that is not taken", packet(answer(callSASL, 2, "javax.security.sasl.SaslException", "GSS initiate failed\n\tat Server"), nil),
			"javax.security.sasl.SaslException: GSS initiate failed): dfs.namenode", ErrSettings},
		{"without Kerberos it says", packet(answer(-1, 2, "org.apache.hadoop.security.AccessControlException", "SIMPLE"), nil), "AccessControlException", ErrSettings},
		{"the end", good[:9], "EOF", io.ErrUnexpectedEOF},
		{"a long one", []byte{0xff, 0, 0, 0}, "is given as 4278190080 bytes", nil},
		{"another call's", packet(answer(7, 0, "", ""), nil), "answered call 7, not -33", nil},
		{"no message", packet(answer(callSASL, 0, "", ""), nil), "malformed", nil},
	} {
		_, err := readAnswer(bytes.NewReader(c.answer), &buffer, 1000)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v; want %q in it", c.what, err, c.want)
		}
	}
	if err := error(&refusal{"javax.security.sasl.SaslException", "Request is a replay (34)"}); errors.Is(err, ErrSettings) {
		t.Errorf("not tried again: %v", err)
	}
	busy := &refusal{"org.apache.hadoop.ipc.StandbyException", "not active"}
	if errors.Is(busy, ErrSettings) {
		t.Errorf("not tried again: %v", busy)
	}
}

// FuzzNameNode reads any bytes as the answer of a name node.
func FuzzNameNode(f *testing.F) {
	f.Add(packet(answer(callSASL, 0, "", ""), protobuf.AppendBytes(protobuf.AppendUint(nil, 2, stateWrap), 3, "token")))
	f.Add(packet(answer(-1, 2, "Class", "text"), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var buffer bytes.Buffer
		m, err := readAnswer(bytes.NewReader(b), &buffer, maxPacketBytes)
		if err == nil && len(m.token) > len(b) {
			t.Errorf("a token of %d bytes in %d", len(m.token), len(b))
		}
		_ = m.kerberos()
	})
}

package protection

import (
	"bytes"
	"crypto/rand"
	"net"

	"sluice/hadoop/protobuf"
)

const (
	protocolClass = "org.apache.hadoop.hdfs.protocol.ClientProtocol"
	// callContext is the number of the packet with the user's name.
	callContext = -3
	clientBytes = 16
)

// call calls a method of a name node, which the library does not have, as a user. The connection is
// authenticated and without earlier requests; it cannot be used for another one. The answer's
// message is the caller's.
func call(made net.Conn, user, method string, param []byte) (message []byte, err error) {
	id := rand.Text()[:clientBytes]
	b := []byte{'h', 'r', 'p', 'c', 9, 0, 0}
	who := protobuf.AppendBytes(nil, 2, protobuf.AppendBytes(nil, 1, user))
	b = appendPacket(b[:preambleBytes:preambleBytes], callContext, id, protobuf.AppendBytes(who, 3, protocolClass))
	if _, err := made.Write(b); err != nil {
		return nil, err
	}
	header := protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, method), 2, protocolClass)
	if _, err := made.Write(appendPacket(nil, 0, id, protobuf.AppendUint(header, 3, 1), param)); err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	return readPacket(made, &buffer, maxHandshakeBytes, 0)
}

package protection

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"net"
	"sync"

	"sluice/hadoop/protobuf"
)

// suiteAES is AES/CTR/NoPadding as CipherSuiteProto numbers it.
const suiteAES = 2

// streams is a connection encrypted with AES in counter mode, which data nodes prefer to RC4 if
// dfs.encrypt.data.transfer.cipher.suites names it. Nothing is signed: the data has HDFS's
// checksums.
type streams struct {
	net.Conn

	writing sync.Mutex
	out     cipher.Stream
	sent    []byte

	reading sync.Mutex
	in      cipher.Stream
}

// newStreams parses a CipherOptionProto, whose keys are wrapped like the messages before it. "In"
// is the direction to the data node.
func newStreams(raw *wrapped, option []byte) (net.Conn, error) {
	var suite uint64
	var inKey, inIV, outKey, outIV []byte
	f := protobuf.Read(option)
	for f.Next() {
		switch f.Number {
		case 1:
			suite = f.Uint
		case 2:
			inKey = f.Bytes
		case 3:
			inIV = f.Bytes
		case 4:
			outKey = f.Bytes
		case 5:
			outIV = f.Bytes
		}
	}
	if f.Err != nil {
		return nil, fmt.Errorf("the data node's choice of a cipher: %w", f.Err)
	}
	if suite != suiteAES {
		return nil, fmt.Errorf("the data node chose cipher suite %d, which was not offered", suite)
	}
	c := &streams{Conn: raw.Conn}
	for _, way := range []struct {
		stream  *cipher.Stream
		key, iv []byte
	}{{&c.out, inKey, inIV}, {&c.in, outKey, outIV}} {
		key, err := raw.in.unwrap(way.key)
		if err != nil {
			return nil, fmt.Errorf("the data node's key: %w", err)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("the data node's key: %w", err)
		}
		if len(way.iv) != aes.BlockSize {
			return nil, fmt.Errorf("the data node's initial counter has %d bytes", len(way.iv))
		}
		*way.stream = cipher.NewCTR(block, way.iv)
	}
	return c, nil
}

// Write implements net.Conn.
func (c *streams) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.sent = append(c.sent[:0], b...)
	c.out.XORKeyStream(c.sent, c.sent)
	return c.Conn.Write(c.sent)
}

// Read implements net.Conn.
func (c *streams) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	n, err := c.Conn.Read(b)
	c.in.XORKeyStream(b[:n], b[:n])
	return n, err
}

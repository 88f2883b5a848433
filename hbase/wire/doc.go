// Package wire encodes and decodes what HBase's protocol has beside protobuf messages: cells as
// the KeyValue codec writes them, and cell blocks in Hadoop's snappy framing. Decoding is bounded
// by the length of its input, and allocates no length before its bytes are there.
package wire

import "sluice/hadoop/protobuf"

// ErrMalformed is returned if bytes are no valid cell or cell block, or no valid message.
var ErrMalformed = protobuf.ErrMalformed

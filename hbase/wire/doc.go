// Package wire encodes and decodes HBase's protocol: varints and protobuf fields, cells as the
// KeyValue codec writes them, cell blocks in Hadoop's snappy framing.
//
// Messages are written and read field by field, without generated code, which would allocate for
// each row fields that are not used. Decoding is bounded by the length of its input, and allocates
// no length before its bytes are there.
package wire

import "errors"

// ErrMalformed is returned if bytes are no valid message, cell or cell block.
var ErrMalformed = errors.New("wire: malformed")

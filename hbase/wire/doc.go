// Package wire is what HBase's protocol is made of: varints and protobuf fields,
// cells as the KeyValue codec writes them, cell blocks in Hadoop's snappy framing.
//
// Messages are written and read field by field, by hand: a client like ours needs
// a few fields of a few messages, and generated code would allocate for each row
// what nobody looks at. Whatever is read is bounded by the bytes that it was given;
// nothing that is read is trusted, and no length is allocated before its bytes are
// there.
package wire

import "errors"

// ErrMalformed is returned if bytes are no valid message, cell or cell block.
var ErrMalformed = errors.New("wire: malformed")

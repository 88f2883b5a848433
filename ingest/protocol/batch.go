package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"sluice/ingest/avrorpc"
	"sluice/schema"
)

// errBody means that a body does not match its batch.
var errBody = errors.New("the batch's body is damaged")

// Batch is a range of whole lines of a stream, as it is sent.
type Batch struct {
	Stream      schema.StreamID
	Range       schema.Range
	Lines       int
	Compression Compression
	CRC         uint32 // CRC-32C of the uncompressed bytes
	// Body is a part of the bytes given to Decode.
	Body []byte
}

// AppendHead appends the encoding up to the body's first byte: the head for [avrorpc.Client.Start],
// with Body as body.
func (m *Batch) AppendHead(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(m.Stream))
	b = avrorpc.AppendLong(b, m.Range.Start)
	b = avrorpc.AppendLong(b, m.Range.End)
	b = avrorpc.AppendLong(b, int64(m.Lines))
	b = avrorpc.AppendLong(b, int64(m.Compression))
	b = avrorpc.AppendLong(b, int64(int32(m.CRC)))
	return avrorpc.AppendLong(b, int64(len(m.Body)))
}

// Decode parses a batch from an untrusted sender. It allocates nothing, and Body is part of b.
func (m *Batch) Decode(b []byte) error {
	r := avrorpc.NewReader(b)
	*m = Batch{Stream: readID(&r), Range: schema.Range{Start: r.Long(), End: r.Long()}, Lines: int(r.Int()),
		Compression: Compression(r.Enum(compressions)), CRC: uint32(r.Int()), Body: r.Bytes(len(r.Rest()))}
	if m.Range.Start < 0 || m.Range.End <= m.Range.Start || m.Lines < 1 || int64(m.Lines) > m.Range.Len() {
		r.Fail("a range that holds no lines")
	}
	return r.End()
}

// Codec compresses and decompresses bodies. It must not be used concurrently.
type Codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// castagnoli is the table of the polynomial that hardware supports.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// NewCodec returns a codec for bodies of at most maxBytes, uncompressed.
func NewCodec(maxBytes int) (*Codec, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithWindowSize(window(maxBytes)))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(uint64(max(maxBytes, zstd.MinWindowSize))))
	if err != nil {
		return nil, err
	}
	return &Codec{encoder: encoder, decoder: decoder}, nil
}

// window returns the power of two that holds maxBytes, within the limits of zstd used here.
func window(maxBytes int) int {
	w := zstd.MinWindowSize
	for w < maxBytes && w < 1<<20 {
		w *= 2
	}
	return w
}

// Encode sets CRC and Body of a batch from its bytes. A compressed body uses room's memory. If
// compression gains nothing the batch is sent uncompressed.
func (c *Codec) Encode(m *Batch, data, room []byte) {
	m.CRC = crc32.Checksum(data, castagnoli)
	switch m.Compression {
	case Zstd:
		m.Body = c.encoder.EncodeAll(data, room[:0])
	case S2:
		m.Body = s2.Encode(room[:cap(room)], data)
	}
	if m.Compression == None || len(m.Body) >= len(data) {
		m.Compression, m.Body = None, data
	}
}

// Data returns a batch's bytes: Body itself, or in room's memory. It decompresses at most the
// length of the range. It returns an errBody if the bytes do not match the batch.
func (c *Codec) Data(m *Batch, room []byte) (data []byte, err error) {
	want := m.Range.Len()
	switch m.Compression {
	case Zstd:
		if int64(cap(room)) < want {
			room = make([]byte, 0, want)
		}
		// The range's own length is the limit: DecodeAll stops at the capacity.
		data, err = c.decoder.DecodeAll(m.Body, room[:0:want])
	case S2:
		var n int
		if n, err = s2.DecodedLen(m.Body); err == nil && int64(n) != want {
			err = fmt.Errorf("it has %d bytes", n)
		}
		if err == nil {
			data, err = s2.Decode(room[:cap(room)], m.Body)
		}
	default:
		data = m.Body
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s of %s: %w", errBody, m.Compression, m.Range, err)
	}
	if int64(len(data)) != want {
		return nil, fmt.Errorf("%w: %d bytes for %s", errBody, len(data), m.Range)
	}
	if crc32.Checksum(data, castagnoli) != m.CRC {
		return nil, fmt.Errorf("%w: its checksum does not match", errBody)
	}
	return data, nil
}

// Close frees the decoder.
func (c *Codec) Close() { c.decoder.Close() }

// Receipt is the reply to a batch.
type Receipt struct {
	Status           Status
	Reason           string
	Received, Stored int64
}

// Append appends the message's encoding.
func (m *Receipt) Append(b []byte) []byte {
	b = avrorpc.AppendBytes(avrorpc.AppendLong(b, int64(m.Status)), m.Reason)
	return avrorpc.AppendLong(avrorpc.AppendLong(b, m.Received), m.Stored)
}

// Decode parses what Append wrote, from an untrusted sender.
func (m *Receipt) Decode(b []byte) error {
	r := avrorpc.NewReader(b)
	*m = Receipt{Status: Status(r.Enum(statuses)), Reason: r.String(MaxStringBytes), Received: r.Long(), Stored: r.Long()}
	if m.Stored < 0 || m.Received < m.Stored {
		r.Fail("a position that is stored and not received")
	}
	return r.End()
}

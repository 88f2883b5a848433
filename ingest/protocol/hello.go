package protocol

import (
	"encoding/binary"

	"sluice/ingest/avrorpc"
	"sluice/schema"
)

// Stream is a log of a sender.
type Stream struct {
	ID schema.StreamID
	// Seed proves that the id belongs to the sender's host (schema.StreamSeed); empty: no proof.
	Seed               []byte
	Path, Format, Zone string
	Labels             map[string]string
	FirstLine          []byte
	Size               int64 // current length of the log in bytes
	// Stored is the position up to which the sender knows the stream to be stored, here or
	// elsewhere.
	Stored int64
}

// Hello is the first message of a sender: its host and its streams.
type Hello struct {
	Host, Agent string
	Labels      map[string]string
	Streams     []Stream
}

// Append appends the message's encoding.
func (h *Hello) Append(b []byte) []byte {
	b = avrorpc.AppendBytes(b, h.Host)
	b = avrorpc.AppendBytes(b, h.Agent)
	b = appendLabels(b, h.Labels)
	b = avrorpc.AppendCount(b, len(h.Streams))
	for i := range h.Streams {
		s := &h.Streams[i]
		b = binary.BigEndian.AppendUint64(b, uint64(s.ID))
		b = avrorpc.AppendBytes(b, s.Seed)
		b = avrorpc.AppendBytes(b, s.Path)
		b = avrorpc.AppendBytes(b, s.Format)
		b = avrorpc.AppendBytes(b, s.Zone)
		b = appendLabels(b, s.Labels)
		b = avrorpc.AppendBytes(b, s.FirstLine)
		b = avrorpc.AppendLong(avrorpc.AppendLong(b, s.Size), s.Stored)
	}
	return avrorpc.AppendEnd(b, len(h.Streams))
}

// Decode parses what Append wrote, from an untrusted sender. It keeps nothing of b.
func (h *Hello) Decode(b []byte) error {
	r := avrorpc.NewReader(b)
	*h = Hello{Host: r.String(MaxStringBytes), Agent: r.String(MaxStringBytes), Labels: readLabels(&r)}
	for items := r.Items(MaxStreams); items.Next(); {
		s := Stream{ID: readID(&r), Seed: append([]byte(nil), r.Bytes(len(schema.StreamSeed{}))...), Path: r.String(MaxStringBytes), Format: r.String(MaxStringBytes), Zone: r.String(MaxStringBytes), Labels: readLabels(&r)}
		s.FirstLine = append([]byte(nil), r.Bytes(schema.MaxHeadBytes)...)
		if s.Size, s.Stored = r.Long(), r.Long(); s.Size < 0 || s.Stored < 0 || s.Stored > schema.MaxOffset {
			r.Fail("a size or position that no log has")
		}
		h.Streams = append(h.Streams, s)
	}
	return r.End()
}

// Welcome is a collector's reply to Hello.
type Welcome struct {
	Collector     string
	Positions     []Position
	Tails         []Tail
	MaxBatchBytes int
	Compressions  []Compression
}

// Append appends the message's encoding.
func (w *Welcome) Append(b []byte) []byte {
	b = avrorpc.AppendBytes(b, w.Collector)
	b = appendPositions(b, w.Positions)
	b = appendTails(b, w.Tails)
	b = avrorpc.AppendLong(b, int64(w.MaxBatchBytes))
	b = avrorpc.AppendCount(b, len(w.Compressions))
	for _, c := range w.Compressions {
		b = avrorpc.AppendLong(b, int64(c))
	}
	return avrorpc.AppendEnd(b, len(w.Compressions))
}

// Decode parses what Append wrote, from an untrusted sender.
func (w *Welcome) Decode(b []byte) error {
	r := avrorpc.NewReader(b)
	*w = Welcome{Collector: r.String(MaxStringBytes), Positions: readPositions(&r, nil), Tails: readTails(&r), MaxBatchBytes: int(r.Int())}
	for items := r.Items(compressions); items.Next(); {
		w.Compressions = append(w.Compressions, Compression(r.Enum(compressions)))
	}
	if w.MaxBatchBytes < 0 {
		r.Fail("a batch size below zero")
	}
	return r.End()
}

func readID(r *avrorpc.Reader) schema.StreamID {
	b := r.Fixed(8)
	if b == nil {
		return 0
	}
	return schema.StreamID(binary.BigEndian.Uint64(b))
}

func appendLabels(b []byte, labels map[string]string) []byte {
	b = avrorpc.AppendCount(b, len(labels))
	for k, v := range labels {
		b = avrorpc.AppendBytes(avrorpc.AppendBytes(b, k), v)
	}
	return avrorpc.AppendEnd(b, len(labels))
}

func readLabels(r *avrorpc.Reader) map[string]string {
	var labels map[string]string
	for items := r.Items(maxLabels); items.Next(); {
		if labels == nil {
			labels = make(map[string]string)
		}
		k := r.String(MaxStringBytes)
		labels[k] = r.String(MaxStringBytes)
	}
	return labels
}

func appendPositions(b []byte, positions []Position) []byte {
	b = avrorpc.AppendCount(b, len(positions))
	for _, p := range positions {
		b = binary.BigEndian.AppendUint64(b, uint64(p.Stream))
		b = avrorpc.AppendLong(avrorpc.AppendLong(b, p.Received), p.Stored)
	}
	return avrorpc.AppendEnd(b, len(positions))
}

// readPositions appends to positions.
func readPositions(r *avrorpc.Reader, positions []Position) []Position {
	for items := r.Items(MaxStreams); items.Next(); {
		p := Position{Stream: readID(r), Received: r.Long(), Stored: r.Long()}
		if p.Stored < 0 || p.Received < p.Stored {
			r.Fail("a position that is stored and not received")
		}
		positions = append(positions, p)
	}
	return positions
}

func appendTails(b []byte, tails []Tail) []byte {
	b = avrorpc.AppendCount(b, len(tails))
	for _, t := range tails {
		b = binary.BigEndian.AppendUint64(b, uint64(t.Stream))
		b = avrorpc.AppendLong(avrorpc.AppendLong(b, t.At), int64(t.Length))
		b = append(b, t.Hash[:]...)
	}
	return avrorpc.AppendEnd(b, len(tails))
}

func readTails(r *avrorpc.Reader) (tails []Tail) {
	for items := r.Items(MaxStreams); items.Next(); {
		t := Tail{Stream: readID(r), At: r.Long(), Length: int(r.Int())}
		copy(t.Hash[:], r.Fixed(len(t.Hash)))
		if t.Length < 1 || t.Length > MaxTailBytes || t.At < int64(t.Length) {
			r.Fail("a tail that no stream has")
		}
		tails = append(tails, t)
	}
	return tails
}

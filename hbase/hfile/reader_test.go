package hfile_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"sluice/hadoop/protobuf"
	"sluice/hbase/hfile"
)

// cell is one Put cell.
type cell struct {
	row, qualifier string
	timestamp      uint64
	value          string
}

// file is what a reader that shares no code with the writer finds in a file.
type file struct {
	cells  []cell
	info   map[string][]byte
	levels int
	blocks int            // of data
	kinds  map[string]int // blocks by their magic
	middle string         // the row at which a server divides a region
}

// reader reads the blocks of one file.
type reader struct {
	t        testing.TB
	b        []byte
	family   string
	codec    uint64
	kinds    map[string]int
	previous map[string]int64
}

type block struct {
	magic string
	body  []byte
	end   int
}

// read reads a whole file in two ways, from block to block and along the index, and checks that both
// find the same, and what a server relies on.
func read(t testing.TB, b []byte, family string) *file {
	t.Helper()
	trailer := b[len(b)-4096:]
	if string(trailer[:8]) != `TRABLK"$` || binary.BigEndian.Uint32(trailer[4092:]) != 0x03000003 {
		t.Fatalf("trailer %x … %x", trailer[:8], trailer[4092:])
	}
	message, rest, err := protobuf.CutDelimited(trailer[8:])
	if err != nil || len(bytes.Trim(rest[:len(rest)-4], "\x00")) > 0 {
		t.Fatalf("trailer: %v", err)
	}
	var n [13]uint64
	for f := protobuf.Read(message); f.Next(); {
		if f.Number != 11 {
			n[f.Number] = f.Uint
		} else if string(f.Bytes) != "org.apache.hadoop.hbase.KeyValue$KVComparator" {
			t.Errorf("comparator %s", f.Bytes)
		}
	}
	r := &reader{t: t, b: b, family: family, codec: n[12], kinds: map[string]int{}, previous: map[string]int64{}}
	f := &file{levels: int(n[8]), kinds: r.kinds, info: map[string][]byte{}}
	first, last, starts := r.scan(f, int(n[2]))
	if int64(n[9]) != first || int64(n[10]) != last {
		t.Errorf("data blocks from %d to %d, the trailer has %d and %d", first, last, int64(n[9]), int64(n[10]))
	}
	root := r.block(int(n[2]))
	r.root(f, root, int(n[5]), starts)
	meta := r.block(root.end)
	if meta.magic != "IDXROOT2" || len(meta.body) > 0 || uint64(meta.end) != n[1] {
		t.Errorf("index of meta blocks: %q, %d bytes to %d", meta.magic, len(meta.body), meta.end)
	}
	r.info(f, int(n[1]), len(b)-4096)
	if int(n[7]) != len(f.cells) {
		t.Errorf("%d cells, the trailer has %d", len(f.cells), n[7])
	}
	return f
}

// block reads one block and checks its header and checksums.
func (r *reader) block(at int) block {
	r.t.Helper()
	h := r.b[at:]
	magic, rest, plain := string(h[:8]), int(binary.BigEndian.Uint32(h[8:])), int(binary.BigEndian.Uint32(h[12:]))
	size := int(binary.BigEndian.Uint32(h[29:]))
	if h[24] != 2 || binary.BigEndian.Uint32(h[25:]) != 16384 || rest+33 != size+4*((size+16383)/16384) {
		r.t.Fatalf("header at %d: %x", at, h[:33])
	}
	for i := 0; i < size; i += 16384 {
		sum := crc32.Checksum(h[i:min(i+16384, size)], crc32.MakeTable(crc32.Castagnoli))
		if got := binary.BigEndian.Uint32(h[size+i/16384*4:]); got != sum {
			r.t.Fatalf("block at %d: checksum %08x of %d, want %08x", at, got, i, sum)
		}
	}
	body := unpack(r.t, r.codec, h[33:size], plain)
	if len(body) != plain {
		r.t.Fatalf("block at %d: %d bytes, want %d", at, len(body), plain)
	}
	return block{magic, body, at + rest + 33}
}

// scan reads all blocks before the root, and returns where the data blocks begin, with their keys.
func (r *reader) scan(f *file, end int) (first, last int64, starts map[int64]string) {
	first, last, starts = -1, -1, map[int64]string{}
	for at := 0; at < end; {
		b := r.block(at)
		before, ok := r.previous[b.magic]
		if !ok {
			before = -1
		}
		if got := int64(binary.BigEndian.Uint64(r.b[at+16:])); got != before {
			r.t.Errorf("%s at %d has the previous one at %d, not at %d", b.magic, at, got, before)
		}
		r.previous[b.magic] = int64(at)
		r.kinds[b.magic]++
		if b.magic == "DATABLK*" || b.magic == "DATABLKE" {
			if first < 0 {
				first = int64(at)
			}
			last = int64(at)
			f.blocks++
			keys, cells := r.cells(b)
			starts[int64(at)] = keys
			f.cells = append(f.cells, cells...)
		}
		at = b.end
	}
	return first, last, starts
}

// root follows the index from its root to every data block, in order.
func (r *reader) root(f *file, root block, count int, starts map[int64]string) {
	var data []int64
	var walk func(level int, magic string, entry indexEntry)
	walk = func(level int, magic string, e indexEntry) {
		if level == 0 {
			if starts[e.offset] != e.key {
				r.t.Errorf("data block at %d begins with %q, in the index with %q", e.offset, starts[e.offset], e.key)
			}
			data = append(data, e.offset)
			return
		}
		b := r.block(int(e.offset))
		entries := leafEntries(b.body)
		if b.magic != magic || b.end != int(e.offset)+e.size || entries[0].key != e.key {
			r.t.Errorf("index block %q at %d to %d with %q, want %q", b.magic, e.offset, b.end, entries[0].key, magic)
		}
		for _, e := range entries {
			walk(level-1, below(level-1), e)
		}
	}
	entries, rest := rootEntries(root.body, count)
	if root.magic != "IDXROOT2" {
		r.t.Errorf("root %q", root.magic)
	}
	for _, e := range entries {
		walk(f.levels-1, below(f.levels-1), e)
	}
	if len(data) != f.blocks {
		r.t.Errorf("%d data blocks in the index, %d in the file", len(data), f.blocks)
	}
	if f.levels == 1 {
		if len(rest) > 0 {
			r.t.Errorf("%d bytes behind the root", len(rest))
		}
		if count > 0 {
			f.middle = rowOf(entries[count/2].key)
		}
		return
	}
	leaf := leafEntries(r.block(int(binary.BigEndian.Uint64(rest))).body)
	key := leaf[binary.BigEndian.Uint32(rest[12:])]
	if want := data[(len(data)-1)/2]; key.offset != want {
		r.t.Errorf("the middle block is at %d, not at %d", key.offset, want)
	}
	f.middle = rowOf(key.key)
}

func rowOf(key string) string { return key[2 : 2+binary.BigEndian.Uint16([]byte(key))] }

func below(level int) string {
	if level <= 1 {
		return "IDXLEAF2"
	}
	return "IDXINTE2"
}

type indexEntry struct {
	offset int64
	size   int
	key    string
}

func rootEntries(b []byte, count int) (list []indexEntry, rest []byte) {
	for range count {
		e := indexEntry{offset: int64(binary.BigEndian.Uint64(b)), size: int(binary.BigEndian.Uint32(b[8:]))}
		n, lengthBytes := int(int8(b[12])), 1
		if n < -112 {
			lengthBytes, n = 1-112-n, 0
			for _, c := range b[13 : 12+lengthBytes] {
				n = n<<8 | int(c)
			}
		}
		b = b[12+lengthBytes:]
		e.key, b = string(b[:n]), b[n:]
		list = append(list, e)
	}
	return list, b
}

func leafEntries(b []byte) (list []indexEntry) {
	n := int(binary.BigEndian.Uint32(b))
	at := b[4 : 4+4*(n+1)]
	b = b[4+4*(n+1):]
	for i := range n {
		e := b[binary.BigEndian.Uint32(at[4*i:]):binary.BigEndian.Uint32(at[4*i+4:])]
		list = append(list, indexEntry{int64(binary.BigEndian.Uint64(e)), int(binary.BigEndian.Uint32(e[8:])), string(e[12:])})
	}
	return list
}

func (r *reader) info(f *file, at, end int) {
	b := r.block(at)
	if b.magic != "FILEINF2" || b.end != end || string(b.body[:4]) != "PBUF" {
		r.t.Fatalf("file info %q to %d", b.magic, b.end)
	}
	message, rest, err := protobuf.CutDelimited(b.body[4:])
	if err != nil || len(rest) > 0 {
		r.t.Fatalf("file info: %v, %d bytes are left", err, len(rest))
	}
	for m := protobuf.Read(message); m.Next(); {
		pair := protobuf.Read(m.Bytes)
		pair.Next()
		name := string(pair.Bytes)
		pair.Next()
		f.info[name] = bytes.Clone(pair.Bytes)
	}
}

// cells decodes a data block, and returns its first key.
func (r *reader) cells(b block) (key string, cells []cell) {
	if b.magic == "DATABLKE" {
		if binary.BigEndian.Uint16(b.body) != uint16(hfile.FastDiff) {
			r.t.Fatalf("encoding %x", b.body[:2])
		}
		return r.differences(b.body[6:], int(binary.BigEndian.Uint32(b.body[2:])))
	}
	for p := b.body; len(p) > 0; {
		k, v := binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
		if key == "" {
			key = string(p[8 : 8+k])
		}
		cells = append(cells, r.cell(p[8:8+k], p[8+k:8+k+v]))
		p = p[8+k+v:]
	}
	return key, cells
}

// differences decodes FAST_DIFF.
func (r *reader) differences(p []byte, plain int) (first string, cells []cell) {
	uvarint := func() int {
		n, size := binary.Uvarint(p)
		p = p[size:]
		return int(n)
	}
	take := func(n int) []byte {
		b := p[:n]
		p = p[n:]
		return b
	}
	var key, value []byte
	for size := 0; size < plain; {
		flags := take(1)[0]
		keyLen, valueLen := len(key), len(value)
		if flags&8 == 0 {
			keyLen = uvarint()
		}
		if flags&16 == 0 {
			valueLen = uvarint()
		}
		shared := uvarint()
		next := append([]byte(nil), key[:shared]...)
		if first == "" {
			next = append(next, take(keyLen)...)
			first = string(next)
		} else {
			family := 1 + len(r.family)
			if shared < 2 {
				next = append(next, take(2-shared)...)
			}
			row := 2 + int(binary.BigEndian.Uint16(next))
			if shared < row {
				next = append(next, take(row-len(next))...)
				next = append(append(next, byte(len(r.family))), r.family...)
			} else if shared < row+family {
				r.t.Fatalf("%d bytes shared, which end in the family", shared)
			}
			next = append(next, take(keyLen-9-len(next))...)
			stamp := int(flags & 7)
			next = append(next, key[len(key)-9:len(key)-9+stamp]...)
			next = append(next, take(8-stamp)...)
			if flags&32 == 0 {
				r.t.Fatalf("flags %x: another type", flags)
			}
			next = append(next, 4)
		}
		if flags&64 == 0 {
			value = take(valueLen)
		}
		key = next
		size += 8 + len(key) + len(value)
		cells = append(cells, r.cell(key, value))
	}
	if len(p) > 0 {
		r.t.Fatalf("%d bytes behind the last cell", len(p))
	}
	return first, cells
}

func (r *reader) cell(key, value []byte) cell {
	row := 2 + int(binary.BigEndian.Uint16(key))
	family := row + 1 + int(key[row])
	end := len(key) - 9
	if string(key[row+1:family]) != r.family || key[len(key)-1] != 4 {
		r.t.Fatalf("key %x", key)
	}
	return cell{string(key[2:row]), string(key[family:end]), binary.BigEndian.Uint64(key[end:]), string(value)}
}

// unpack undoes the compression of one block.
func unpack(t testing.TB, codec uint64, b []byte, size int) []byte {
	t.Helper()
	switch codec {
	case 1:
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		return plain
	case 2:
		return b
	case 3:
		return chunks(t, b, size, func(chunk []byte) ([]byte, error) { return snappy.Decode(nil, chunk) })
	case 6:
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		return chunks(t, b, size, func(chunk []byte) ([]byte, error) { return z.DecodeAll(chunk, nil) })
	}
	t.Fatalf("codec %d", codec)
	return nil
}

func chunks(t testing.TB, b []byte, size int, decode func([]byte) ([]byte, error)) []byte {
	t.Helper()
	if n := binary.BigEndian.Uint32(b); int(n) != size {
		t.Fatalf("%d bytes before compression, want %d", n, size)
	}
	plain := []byte{}
	for b = b[4:]; len(b) > 0; {
		n := binary.BigEndian.Uint32(b)
		chunk, err := decode(b[4 : 4+n])
		if err != nil {
			t.Fatal(err)
		}
		plain, b = append(plain, chunk...), b[4+n:]
	}
	return plain
}

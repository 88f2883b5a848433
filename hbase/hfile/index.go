package hfile

import "encoding/binary"

const (
	// maxRootIndexBytes bounds the root of the index, which a server keeps in memory for each open
	// file. A larger one is divided into leaf blocks, which are cached as data blocks are.
	maxRootIndexBytes = 1 << 20
	// maxIndexBlockBytes is the size of leaf and intermediate blocks, HBase's default.
	maxIndexBlockBytes = 128 << 10
)

// index is the place and the first key of every data block. It is held as one level, until that
// passes maxRootIndexBytes; then leaf blocks are written between data blocks, and the index is that
// of the leaf blocks.
type index struct {
	data   entries // of data blocks, without those in leaf blocks
	leaves entries // of leaf blocks
	levels int     // 0 until writeIndex

	blockKey []byte // the first key of the open data block
	block    []byte // an index block that is being made
	// bytes is the size of all index blocks before compression.
	bytes int64
}

// entries is one level of an index.
type entries struct {
	list []indexEntry
	keys []byte
}

type indexEntry struct {
	place
	keyEnd int   // in entries.keys
	below  int64 // data blocks of this and all earlier entries
}

// indexEntryBytes is an entry without its key, in a leaf or intermediate block: u64 offset | u32
// bytes, and in the list before the entries u32 offset.
const indexEntryBytes = 8 + 4 + 4

func (e *entries) add(p place, key []byte, blocks int64) {
	if n := len(e.list); n > 0 {
		blocks += e.list[n-1].below
	}
	e.keys = append(e.keys, key...)
	e.list = append(e.list, indexEntry{p, len(e.keys), blocks})
}

func (e *entries) key(i int) []byte {
	start := 0
	if i > 0 {
		start = e.list[i-1].keyEnd
	}
	return e.keys[start:e.list[i].keyEnd]
}

// blocks is the number of data blocks below the entries from i to before j.
func (e *entries) blocks(i, j int) int64 {
	n := e.list[j-1].below
	if i > 0 {
		n -= e.list[i-1].below
	}
	return n
}

func (e *entries) bytes() int { return len(e.keys) + len(e.list)*indexEntryBytes }

func (e *entries) reset() { e.list, e.keys = e.list[:0], e.keys[:0] }

// cut returns the end of a block that begins with entry i, and has two entries at least if there
// are as many.
func (e *entries) cut(i int) int {
	size := 0
	for j := i; j < len(e.list); j++ {
		size += indexEntryBytes + len(e.key(j))
		if size > maxIndexBlockBytes && j >= i+2 {
			return j
		}
	}
	return len(e.list)
}

// writeLeaves writes leaf blocks after a data block, if it is time.
func (w *Writer) writeLeaves() error {
	x := &w.index
	limit := maxIndexBlockBytes
	if len(x.leaves.list) == 0 {
		limit = maxRootIndexBytes
	}
	if x.data.bytes() <= limit {
		return nil
	}
	return w.divide(&x.data, &x.leaves, leafBlock, leafMagic)
}

// divide writes entries as blocks, which become entries of the level above, and resets them.
func (w *Writer) divide(from, to *entries, kind blockKind, m magic) error {
	for i := 0; i < len(from.list); {
		end := from.cut(i)
		w.index.block = appendNonRoot(append(w.index.block[:0], make([]byte, headerBytes)...), from, i, end)
		w.index.bytes += int64(len(w.index.block) - headerBytes)
		p, err := w.writeBlock(kind, m, w.index.block)
		if err != nil {
			return err
		}
		to.add(p, from.key(i), from.blocks(i, end))
		i = end
	}
	from.reset()
	return nil
}

// appendNonRoot adds the body of a leaf or intermediate block: u32 number of entries | u32 offset of
// each, and of the end | entries of u64 offset | u32 bytes | key.
func appendNonRoot(b []byte, e *entries, from, to int) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(to-from))
	at := 0
	for i := from; i < to; i++ {
		b = binary.BigEndian.AppendUint32(b, uint32(at))
		at += 8 + 4 + len(e.key(i))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(at))
	for i := from; i < to; i++ {
		b = binary.BigEndian.AppendUint64(b, uint64(e.list[i].offset))
		b = binary.BigEndian.AppendUint32(b, uint32(e.list[i].bytes))
		b = append(b, e.key(i)...)
	}
	return b
}

// writeIndex writes what is above the leaf blocks, and returns the place of the root and the number
// of its entries.
func (w *Writer) writeIndex() (root place, count int, err error) {
	x := &w.index
	x.levels = 1
	top := &x.data
	var middle []byte
	if len(x.leaves.list) > 0 {
		if err := w.divide(&x.data, &x.leaves, leafBlock, leafMagic); err != nil {
			return place{}, 0, err
		}
		top, x.levels = &x.leaves, 2
		middle = appendMiddle(nil, top)
		for top.bytes() > maxRootIndexBytes && len(top.list) > 2 {
			above := new(entries)
			if err := w.divide(top, above, middleBlock, middleMagic); err != nil {
				return place{}, 0, err
			}
			top = above
			x.levels++
		}
	}
	b := make([]byte, headerBytes, headerBytes+top.bytes()+len(middle))
	for i, e := range top.list {
		b = binary.BigEndian.AppendUint64(b, uint64(e.offset))
		b = binary.BigEndian.AppendUint32(b, uint32(e.bytes))
		b = appendVInt(b, len(top.key(i)))
		b = append(b, top.key(i)...)
	}
	b = append(b, middle...)
	x.bytes += int64(len(b) - headerBytes)
	root, err = w.writeBlock(rootBlock, rootMagic, b)
	return root, len(top.list), err
}

// appendMiddle adds where the middle data block of the file is found, at which a server divides a
// region: u64 offset | u32 bytes of its leaf block | u32 entry in there.
func appendMiddle(b []byte, leaves *entries) []byte {
	last := len(leaves.list) - 1
	middle := (leaves.list[last].below - 1) / 2
	i := 0
	for leaves.list[i].below <= middle {
		i++
	}
	if i > 0 {
		middle -= leaves.list[i-1].below
	}
	b = binary.BigEndian.AppendUint64(b, uint64(leaves.list[i].offset))
	b = binary.BigEndian.AppendUint32(b, uint32(leaves.list[i].bytes))
	return binary.BigEndian.AppendUint32(b, uint32(middle))
}

// appendVInt adds a number that is not negative, as Hadoop's WritableUtils does: up to 127 one byte,
// else -112 less the number of bytes, and the bytes.
func appendVInt(b []byte, n int) []byte {
	switch {
	case n <= 127:
		return append(b, byte(n))
	case n < 1<<8:
		return append(b, 0x8f, byte(n))
	case n < 1<<16:
		return append(b, 0x8e, byte(n>>8), byte(n))
	}
	return append(b, 0x8d, byte(n>>16), byte(n>>8), byte(n)) // no key is as long as 1<<24
}

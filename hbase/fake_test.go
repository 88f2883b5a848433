package hbase_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"sluice/hadoop/protobuf"
	"sluice/hbase"
	"sluice/hbase/wire"
)

// fake is a cluster of one server with one table in memory, with master and meta table. It implements
// the part of the protocol that the client uses, and faults that are rare in a real cluster: see its
// hooks.
type fake struct {
	t        testing.TB
	listener net.Listener
	group    errgroup.Group

	mu         sync.Mutex
	conns      []net.Conn
	descriptor []byte            // TableSchema; nil: there is no table
	name       string            // of the table
	starts     [][]byte          // of the regions, sorted; the first is empty
	epoch      uint64            // id of the regions
	rows       map[string][]byte // the cells of each row
	writes     map[string]int    // how often each row was written
	scanners   map[uint64]*fakeScanner
	lastID     uint64

	// hook, if not nil, may answer a call instead, with the class of an exception.
	hook func(method string) (exception string)
	// refuse returns the exception for a row, or for its whole region.
	refuse func(key []byte) (row, region string)
	// toAndFro: a request for a region that no longer exists is answered with a redirect to this
	// server.
	toAndFro bool
	// results limits the cells of one response of a scan, so that rows are in several results.
	results int
}

type fakeScanner struct {
	results [][]byte // cells of one result
	partial []bool
	seq     uint64
}

func newFake(t testing.TB) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, listener: l, rows: map[string][]byte{}, writes: map[string]int{}, scanners: map[uint64]*fakeScanner{}, epoch: 1}
	f.group.Go(f.accept)
	t.Cleanup(func() {
		_ = l.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			_ = c.Close()
		}
		f.mu.Unlock()
		_ = f.group.Wait()
	})
	return f
}

func (f *fake) url(t testing.TB) hbase.URL {
	t.Helper()
	u, err := hbase.ParseURL("hbase+rpc://" + f.listener.Addr().String() + "/t")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// fault sets results and hook while the server runs.
func (f *fake) fault(results int, hook func(method string) string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.results, f.hook = results, hook
}

func (f *fake) accept() error {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return nil
		}
		f.mu.Lock()
		f.conns = append(f.conns, c)
		f.mu.Unlock()
		f.group.Go(func() error { f.talk(c); return c.Close() })
	}
}

func (f *fake) talk(c net.Conn) {
	r := bufio.NewReader(c)
	if _, err := r.Discard(6); err != nil {
		return
	}
	if _, err := readFrame(r); err != nil {
		return
	}
	for {
		b, err := readFrame(r)
		if err != nil {
			return
		}
		header, rest, err1 := protobuf.CutDelimited(b)
		param, cells, err2 := protobuf.CutDelimited(rest)
		if err1 != nil || err2 != nil {
			return
		}
		id, method := number(header, 1), string(field(header, 3))
		message, block, exception := f.answer(method, param, cells)
		h := protobuf.AppendUint(nil, 1, id)
		if exception != "" {
			h = protobuf.AppendBytes(h, 2, protobuf.AppendBytes(nil, 1, exception))
		} else if len(block) > 0 {
			h = protobuf.AppendBytes(h, 3, protobuf.AppendUint(nil, 1, uint64(len(block))))
		}
		body := protobuf.AppendDelimited(nil, h)
		if exception == "" {
			body = append(protobuf.AppendDelimited(body, message), block...)
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)); err != nil {
			return
		}
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

func field(message []byte, n int) []byte {
	for f := protobuf.Read(message); f.Next(); {
		if f.Number == n {
			return f.Bytes
		}
	}
	return nil
}

func number(message []byte, n int) uint64 {
	for f := protobuf.Read(message); f.Next(); {
		if f.Number == n {
			return f.Uint
		}
	}
	return 0
}

func (f *fake) answer(method string, param, cells []byte) (message, block []byte, exception string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hook != nil {
		if e := f.hook(method); e != "" {
			return nil, nil, e
		}
	}
	host, port, _ := net.SplitHostPort(f.listener.Addr().String())
	n := 0
	for _, c := range port {
		n = n*10 + int(c-'0')
	}
	self := protobuf.AppendUint(protobuf.AppendUint(protobuf.AppendBytes(nil, 1, host), 2, uint64(n)), 3, 1)
	switch method {
	case "GetMetaRegionLocations":
		return protobuf.AppendBytes(nil, 1, protobuf.AppendBytes(nil, 2, self)), nil, ""
	case "GetActiveMaster":
		return protobuf.AppendBytes(nil, 1, self), nil, ""
	case "GetTableDescriptors":
		if f.descriptor != nil {
			message = protobuf.AppendBytes(nil, 1, f.descriptor)
		}
		return message, nil, ""
	case "CreateTable":
		f.create(param)
		return protobuf.AppendUint(nil, 1, 1), nil, ""
	case "getProcedureResult":
		return protobuf.AppendUint(nil, 1, 2), nil, ""
	case "Multi":
		return f.multi(param, cells), nil, ""
	case "Scan":
		return f.scan(param)
	}
	return nil, nil, "java.lang.UnsupportedOperationException"
}

func (f *fake) create(param []byte) {
	f.descriptor = field(param, 1)
	f.name = string(field(field(f.descriptor, 1), 2))
	f.starts = [][]byte{nil}
	for p := protobuf.Read(param); p.Next(); {
		if p.Number == 2 {
			f.starts = append(f.starts, p.Bytes)
		}
	}
}

// region returns the name of region i.
func (f *fake) region(i int) string {
	return f.name + "," + string(f.starts[i]) + "," + string(rune('0'+f.epoch)) + ".e."
}

func (f *fake) bounds(name string) (start, end []byte, ok bool) {
	for i := range f.starts {
		if f.region(i) == name {
			if i+1 < len(f.starts) {
				end = f.starts[i+1]
			}
			return f.starts[i], end, true
		}
	}
	return nil, nil, false
}

// split renames all regions, and splits two of them.
func (f *fake) split(keys ...[]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starts = append(f.starts, keys...)
	slices.SortFunc(f.starts, bytes.Compare)
	f.epoch++
	clear(f.scanners)
}

const notServing = "org.apache.hadoop.hbase.NotServingRegionException"

func (f *fake) multi(param, cells []byte) (response []byte) {
	for p := protobuf.Read(param); p.Next(); {
		if p.Number != 1 {
			continue
		}
		start, end, ok := f.bounds(string(field(field(p.Bytes, 1), 2)))
		var result []byte
		regionFault := ""
		put := map[string][]byte{}
		for a := protobuf.Read(p.Bytes); a.Next(); {
			if a.Number != 3 {
				continue
			}
			var row []byte
			for range number(field(a.Bytes, 2), 8) {
				n := 4 + binary.BigEndian.Uint32(cells)
				row, cells = append(row, cells[:n]...), cells[n:]
			}
			c, _, err := wire.CutCell(row)
			if err != nil {
				f.t.Error(err)
			}
			rowFault := ""
			if f.refuse != nil {
				var region string
				if rowFault, region = f.refuse(c.Row); region != "" {
					regionFault = region
				}
			}
			if bytes.Compare(c.Row, start) < 0 || len(end) > 0 && bytes.Compare(c.Row, end) >= 0 {
				rowFault = "org.apache.hadoop.hbase.exceptions.FailedSanityCheckException"
			}
			one := protobuf.AppendUint(nil, 1, number(a.Bytes, 1))
			if rowFault != "" {
				one = protobuf.AppendBytes(one, 3, protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, rowFault), 2, "Requested row out of range"))
			} else {
				put[string(c.Row)] = row
			}
			result = protobuf.AppendBytes(result, 1, one)
		}
		var why string
		if !ok {
			regionFault = notServing
			if f.toAndFro {
				host, port, _ := net.SplitHostPort(f.listener.Addr().String())
				regionFault = "org.apache.hadoop.hbase.exceptions.RegionMovedException"
				why = "Region moved to: hostname=" + host + " port=" + port + " startCode=1. As of locationSeqNum=4."
			}
		}
		if regionFault != "" {
			result = protobuf.AppendBytes(nil, 2, protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, regionFault), 2, why))
			clear(put)
		}
		for key, row := range put {
			f.rows[key] = row
			f.writes[key]++
		}
		response = protobuf.AppendBytes(response, 1, result)
	}
	return response
}

func (f *fake) scan(param []byte) (message, block []byte, exception string) {
	id := number(param, 3)
	if number(param, 5) != 0 && id != 0 { // close
		delete(f.scanners, id)
		return nil, nil, ""
	}
	if id == 0 {
		name := string(field(field(param, 1), 2))
		if name == "hbase:meta,,1" {
			return f.meta(field(param, 2))
		}
		start, end, ok := f.bounds(name)
		if !ok {
			return nil, nil, notServing
		}
		f.lastID++
		id = f.lastID
		f.scanners[id] = f.open(field(param, 2), start, end, int(number(param, 11)))
	} else if s := f.scanners[id]; s == nil {
		return nil, nil, "org.apache.hadoop.hbase.UnknownScannerException"
	} else if s.seq++; s.seq != number(param, 6)+1 {
		return nil, nil, "org.apache.hadoop.hbase.exceptions.OutOfOrderScannerNextException"
	}
	s := f.scanners[id]
	n := min(len(s.results), 25)
	for i := range n {
		count := uint64(0)
		for cells := s.results[i]; len(cells) > 0; count++ {
			_, cells, _ = wire.CutCell(cells)
		}
		message = protobuf.AppendUint(message, 1, count)
		message = protobuf.AppendBool(message, 7, s.partial[i])
		block = append(block, s.results[i]...)
	}
	s.results, s.partial = s.results[n:], s.partial[n:]
	message = protobuf.AppendUint(message, 2, id)
	message = protobuf.AppendBool(message, 3, true)
	message = protobuf.AppendBool(message, 8, len(s.results) > 0)
	if len(s.results) == 0 {
		delete(f.scanners, id)
	}
	return message, block, ""
}

// open selects the rows of a scan at its start.
func (f *fake) open(scan, regionStart, regionEnd []byte, limit int) *fakeScanner {
	from, to := field(scan, 3), field(scan, 4)
	reverse, includeFrom, includeTo := number(scan, 15) != 0, number(scan, 21) != 0, number(scan, 22) != 0
	if reverse {
		from, to, includeFrom, includeTo = to, from, includeTo, includeFrom
	}
	streams := streamsOf(field(scan, 5))
	var keys []string
	for key := range f.rows {
		low, high := strings.Compare(key, string(from)), strings.Compare(key, string(to))
		inside := key >= string(regionStart) && (len(regionEnd) == 0 || key < string(regionEnd))
		if inside && (low > 0 || low == 0 && includeFrom) && (len(to) == 0 || high < 0 || high == 0 && includeTo) &&
			(len(streams) == 0 || len(key) > 17 && streams[key[9:17]]) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if reverse {
		slices.Reverse(keys)
	}
	if limit > 0 && limit < len(keys) {
		keys = keys[:limit]
	}
	s := &fakeScanner{}
	for _, key := range keys {
		rest, piece, cells := f.rows[key], 0, 0
		for len(rest) > 0 {
			n := 4 + int(binary.BigEndian.Uint32(rest[piece:]))
			if piece, cells = piece+n, cells+1; piece == len(rest) || f.results > 0 && cells == f.results {
				s.results = append(s.results, rest[:piece])
				s.partial = append(s.partial, piece < len(rest))
				rest, piece, cells = rest[piece:], 0, 0
			}
		}
	}
	return s
}

// streamsOf returns the streams that a filter selects.
func streamsOf(filter []byte) map[string]bool {
	found := map[string]bool{}
	switch name := string(field(filter, 1)); {
	case strings.HasSuffix(name, "RowFilter"):
		compare := field(field(filter, 2), 1)
		found[string(field(field(field(compare, 2), 2), 1))] = true
	case strings.HasSuffix(name, "FilterList"):
		for list := protobuf.Read(field(filter, 2)); list.Next(); {
			if list.Number == 2 {
				for id := range streamsOf(list.Bytes) {
					found[id] = true
				}
			}
		}
	}
	return found
}

// meta answers a lookup with the last region that begins at or before the key.
func (f *fake) meta(scan []byte) (message, block []byte, exception string) {
	message = protobuf.AppendBool(nil, 8, false)
	if f.descriptor == nil || number(scan, 15) == 0 {
		return message, nil, ""
	}
	key := bytes.TrimPrefix(field(scan, 3), []byte(f.name+","))
	key = key[:bytes.LastIndexByte(key, ',')]
	at := 0
	for i, start := range f.starts {
		if bytes.Compare(start, key) <= 0 {
			at = i
		}
	}
	name := f.region(at)
	start, end, _ := f.bounds(name)
	info := append([]byte("PBUF"), protobuf.AppendBytes(protobuf.AppendBytes(nil, 3, start), 4, end)...)
	block = wire.AppendCell(nil, []byte(name), "info", "regioninfo", 1, wire.Put, info)
	block = wire.AppendCell(block, []byte(name), "info", "server", 1, wire.Put, []byte(f.listener.Addr().String()))
	return protobuf.AppendUint(message, 1, 2), block, ""
}

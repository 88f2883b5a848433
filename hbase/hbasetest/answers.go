package hbasetest

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
	"strings"

	"sluice/hadoop/protobuf"
	"sluice/hbase/wire"
)

// Field returns the bytes of the first field with a number in a message; nil: there is none.
func Field(message []byte, n int) []byte {
	for f := protobuf.Read(message); f.Next(); {
		if f.Number == n {
			return f.Bytes
		}
	}
	return nil
}

// Number returns the first field with a number in a message, as an unsigned integer; 0: there is none.
func Number(message []byte, n int) uint64 {
	for f := protobuf.Read(message); f.Next(); {
		if f.Number == n {
			return f.Uint
		}
	}
	return 0
}

func (s *Server) answer(method string, param, cells []byte) (message, block []byte, exception string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hook != nil {
		if e := s.hook(method); e != "" {
			return nil, nil, e
		}
	}
	host, port, _ := net.SplitHostPort(s.address)
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
		if s.descriptor != nil {
			message = protobuf.AppendBytes(nil, 1, s.descriptor)
		}
		return message, nil, ""
	case "CreateTable":
		s.create(param)
		return protobuf.AppendUint(nil, 1, 1), nil, ""
	case "getProcedureResult":
		return protobuf.AppendUint(nil, 1, 2), nil, ""
	case "Multi":
		return s.multi(param, cells), nil, ""
	case "Scan":
		return s.scan(param)
	case "CleanupBulkLoad":
		s.removed = append(s.removed, string(Field(param, 1)))
		return nil, nil, ""
	}
	return nil, nil, "java.lang.UnsupportedOperationException"
}

func (s *Server) create(param []byte) {
	s.descriptor = Field(param, 1)
	s.name = string(Field(Field(s.descriptor, 1), 2))
	s.starts = [][]byte{nil}
	for p := protobuf.Read(param); p.Next(); {
		if p.Number == 2 {
			s.starts = append(s.starts, p.Bytes)
		}
	}
}

// region returns the name of region i.
func (s *Server) region(i int) string {
	return s.name + "," + string(s.starts[i]) + "," + string(rune('0'+s.epoch)) + ".e."
}

func (s *Server) bounds(name string) (start, end []byte, ok bool) {
	for i := range s.starts {
		if s.region(i) == name {
			if i+1 < len(s.starts) {
				end = s.starts[i+1]
			}
			return s.starts[i], end, true
		}
	}
	return nil, nil, false
}

// Split gives all regions other names, and adds regions that begin at the keys.
func (s *Server) Split(keys ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts = append(s.starts, keys...)
	slices.SortFunc(s.starts, bytes.Compare)
	s.epoch++
	clear(s.scanners)
}

const notServing = "org.apache.hadoop.hbase.NotServingRegionException"

func (s *Server) multi(param, cells []byte) (response []byte) {
	for p := protobuf.Read(param); p.Next(); {
		if p.Number != 1 {
			continue
		}
		start, end, ok := s.bounds(string(Field(Field(p.Bytes, 1), 2)))
		var result []byte
		regionFault := ""
		put := map[string][]byte{}
		for a := protobuf.Read(p.Bytes); a.Next(); {
			if a.Number != 3 {
				continue
			}
			var row []byte
			for range Number(Field(a.Bytes, 2), 8) {
				n := 4 + binary.BigEndian.Uint32(cells)
				row, cells = append(row, cells[:n]...), cells[n:]
			}
			c, _, err := wire.CutCell(row)
			if err != nil {
				s.t.Error(err)
			}
			rowFault := ""
			if s.Refuse != nil {
				var region string
				if rowFault, region = s.Refuse(c.Row); region != "" {
					regionFault = region
				}
			}
			if bytes.Compare(c.Row, start) < 0 || len(end) > 0 && bytes.Compare(c.Row, end) >= 0 {
				rowFault = "org.apache.hadoop.hbase.exceptions.FailedSanityCheckException"
			}
			one := protobuf.AppendUint(nil, 1, Number(a.Bytes, 1))
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
			if s.RegionsMoved {
				host, port, _ := net.SplitHostPort(s.address)
				regionFault = "org.apache.hadoop.hbase.exceptions.RegionMovedException"
				why = "Region moved to: hostname=" + host + " port=" + port + " startCode=1. As of locationSeqNum=4."
			}
		}
		if regionFault != "" {
			result = protobuf.AppendBytes(nil, 2, protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, regionFault), 2, why))
			clear(put)
		}
		for key, row := range put {
			s.rows[key] = row
		}
		response = protobuf.AppendBytes(response, 1, result)
	}
	return response
}

func (s *Server) scan(param []byte) (message, block []byte, exception string) {
	id := Number(param, 3)
	if Number(param, 5) != 0 && id != 0 { // close
		delete(s.scanners, id)
		return nil, nil, ""
	}
	if id == 0 {
		name := string(Field(Field(param, 1), 2))
		if name == "hbase:meta,,1" {
			return s.meta(Field(param, 2))
		}
		start, end, ok := s.bounds(name)
		if !ok {
			return nil, nil, notServing
		}
		s.lastID++
		id = s.lastID
		s.scanners[id] = s.open(Field(param, 2), start, end, int(Number(param, 11)))
	} else if open := s.scanners[id]; open == nil {
		return nil, nil, "org.apache.hadoop.hbase.UnknownScannerException"
	} else if open.seq++; open.seq != Number(param, 6)+1 {
		return nil, nil, "org.apache.hadoop.hbase.exceptions.OutOfOrderScannerNextException"
	}
	open := s.scanners[id]
	n := min(len(open.results), 25)
	for i := range n {
		count := uint64(0)
		for cells := open.results[i]; len(cells) > 0; count++ {
			_, cells, _ = wire.CutCell(cells)
		}
		message = protobuf.AppendUint(message, 1, count)
		message = protobuf.AppendBool(message, 7, open.partial[i])
		block = append(block, open.results[i]...)
	}
	open.results, open.partial = open.results[n:], open.partial[n:]
	message = protobuf.AppendUint(message, 2, id)
	message = protobuf.AppendBool(message, 3, true)
	message = protobuf.AppendBool(message, 8, len(open.results) > 0)
	if len(open.results) == 0 {
		delete(s.scanners, id)
	}
	return message, block, ""
}

// open returns a scanner of the present rows.
func (s *Server) open(scan, regionStart, regionEnd []byte, limit int) *scanner {
	from, to := Field(scan, 3), Field(scan, 4)
	reverse, includeFrom, includeTo := Number(scan, 15) != 0, Number(scan, 21) != 0, Number(scan, 22) != 0
	if reverse {
		from, to, includeFrom, includeTo = to, from, includeTo, includeFrom
	}
	streams := streamsOf(Field(scan, 5))
	var keys []string
	for key := range s.rows {
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
	opened := &scanner{}
	for _, key := range keys {
		rest, piece, cells := s.rows[key], 0, 0
		for len(rest) > 0 {
			n := 4 + int(binary.BigEndian.Uint32(rest[piece:]))
			if piece, cells = piece+n, cells+1; piece == len(rest) || s.results > 0 && cells == s.results {
				opened.results = append(opened.results, rest[:piece])
				opened.partial = append(opened.partial, piece < len(rest))
				rest, piece, cells = rest[piece:], 0, 0
			}
		}
	}
	return opened
}

// streamsOf returns the streams that a filter selects.
func streamsOf(filter []byte) map[string]bool {
	found := map[string]bool{}
	switch name := string(Field(filter, 1)); {
	case strings.HasSuffix(name, "RowFilter"):
		compare := Field(Field(filter, 2), 1)
		found[string(Field(Field(Field(compare, 2), 2), 1))] = true
	case strings.HasSuffix(name, "FilterList"):
		for list := protobuf.Read(Field(filter, 2)); list.Next(); {
			if list.Number == 2 {
				for id := range streamsOf(list.Bytes) {
					found[id] = true
				}
			}
		}
	}
	return found
}

// meta answers a lookup with the last region that begins no later than the key.
func (s *Server) meta(scan []byte) (message, block []byte, exception string) {
	message = protobuf.AppendBool(nil, 8, false)
	if s.descriptor == nil {
		return message, nil, ""
	}
	if Number(scan, 15) == 0 { // the rows of all regions
		for i := range s.starts {
			if bytes.Compare([]byte(s.region(i)), Field(scan, 3)) >= 0 {
				message, block = protobuf.AppendUint(message, 1, 2), s.appendRegion(block, i)
			}
		}
		return message, block, ""
	}
	key := bytes.TrimPrefix(Field(scan, 3), []byte(s.name+","))
	key = key[:bytes.LastIndexByte(key, ',')]
	at := 0
	for i, start := range s.starts {
		if bytes.Compare(start, key) <= 0 {
			at = i
		}
	}
	return protobuf.AppendUint(message, 1, 2), s.appendRegion(nil, at), ""
}

// appendRegion appends a region's row of the meta table.
func (s *Server) appendRegion(block []byte, i int) []byte {
	name := s.region(i)
	start, end, _ := s.bounds(name)
	info := append([]byte("PBUF"), protobuf.AppendBytes(protobuf.AppendBytes(nil, 3, start), 4, end)...)
	block = wire.AppendCell(block, []byte(name), "info", "regioninfo", 1, wire.Put, info)
	return wire.AppendCell(block, []byte(name), "info", "server", 1, wire.Put, []byte(s.address))
}

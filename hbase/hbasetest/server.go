// Package hbasetest has a cluster of HBase for tests: one server with one table in memory, which is
// also master and meta table. It implements the part of the protocol that sluice uses, and makes
// faults that a real cluster makes too seldom.
package hbasetest

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"sluice/hadoop/protobuf"
)

// Server is the cluster. Its methods may be called by several goroutines at a time.
type Server struct {
	// Refuse, if not nil, returns the exception of a row, or of its whole region. With RegionsMoved
	// the exception for a region that does not exist any more is RegionMovedException, with this
	// server's address. Both are set before the first call.
	Refuse       func(key []byte) (row, region string)
	RegionsMoved bool

	t       testing.TB
	address string
	group   errgroup.Group

	mu         sync.Mutex // guards the fields below
	listener   net.Listener
	conns      []net.Conn
	descriptor []byte            // TableSchema; nil: there is no table
	name       string            // of the table
	starts     [][]byte          // of the regions, sorted; the first is empty
	epoch      uint64            // part of the names of the regions
	rows       map[string][]byte // the cells of each row
	scanners   map[uint64]*scanner
	lastID     uint64
	hook       func(method string) (exception string)
	results    int // cells in a result; 0: no limit
	removed    []string
}

type scanner struct {
	results [][]byte // cells of one result
	partial []bool
	seq     uint64
}

// New returns a server at an unused address, or at the given one, that is not started.
func New(t testing.TB, address string) *Server {
	s := &Server{t: t, address: address, rows: map[string][]byte{}, scanners: map[uint64]*scanner{}, epoch: 1}
	t.Cleanup(func() {
		s.Stop()
		_ = s.group.Wait() // it returns nil
	})
	return s
}

// Start makes the server listen. After Stop it has the same address and table as before.
func (s *Server) Start() {
	s.t.Helper()
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.address = l, l.Addr().String()
	s.group.Go(func() error { return s.accept(l) })
}

// Stop closes the listener and all connections.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		_ = s.listener.Close() // it ends accept
	}
	for _, c := range s.conns {
		_ = c.Close() // it ends talk
	}
	s.listener, s.conns = nil, nil
}

// URL returns the URL of the table.
func (s *Server) URL() string { return "hbase+rpc://" + s.address + "/t" }

// Fault limits the cells of one result of a scan, so that rows come in several results (0: no
// limit), and sets a function that may return the exception with which a call is answered instead.
func (s *Server) Fault(results int, hook func(method string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results, s.hook = results, hook
}

// Alter adds an attribute to the table's column family. Clients see it when they open the table.
func (s *Server) Alter(attribute, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var altered []byte
	for f := protobuf.Read(s.descriptor); f.Next(); {
		content := f.Bytes
		if f.Number == 3 { // ColumnFamilySchema {1 name, 2 attributes}
			pair := protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, attribute), 2, value)
			content = protobuf.AppendBytes(slices.Clone(content), 2, pair)
		}
		altered = protobuf.AppendBytes(altered, f.Number, content)
	}
	s.descriptor = altered
}

// Removed returns the staging directories of bulk loads that clients had removed.
func (s *Server) Removed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.removed)
}

func (s *Server) accept(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return nil
		}
		s.mu.Lock()
		if s.listener != l {
			_ = c.Close() // accepted before Stop
		}
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		s.group.Go(func() error { Talk(c, s.answer); return c.Close() })
	}
}

// Talk answers the calls of one connection, without Kerberos and TLS, until it ends. answer returns the
// message and the cell block of a reply, or the class of an exception. The caller closes c.
func Talk(c net.Conn, answer func(method string, param, cells []byte) (message, block []byte, exception string)) {
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
		id, method := Number(header, 1), string(Field(header, 3))
		message, block, exception := answer(method, param, cells)
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

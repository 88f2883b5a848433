package rpc

import (
	"errors"
	"fmt"
	"strings"

	"sluice/hbase/wire"
)

var (
	// ErrLost: the connection broke, or could not be made, before the answer came.
	// Whether the server did what it was asked is not known.
	ErrLost = errors.New("connection lost")
	// ErrSilent: the server's machine takes bytes, and the server gives no sign of
	// life. Also an ErrLost.
	ErrSilent = errors.New("the server is silent")
	// ErrMute: the server closed a connection on which it never said a word. Also an
	// ErrLost. HBase says nothing to a client that does not speak TLS where it wants
	// that, and other servers say nothing to us.
	ErrMute = errors.New("the server closed the connection without a word: is it HBase, and does it want TLS, a certificate of ours, or neither?")
	// ErrSettings: the two sides do not fit together, and will not before somebody
	// changes settings, tickets or certificates. Errors of a Handshake may be one.
	ErrSettings = errors.New("settings")
	// ErrClosed: the connection or the pool was closed by our own side.
	ErrClosed = errors.New("rpc: closed")
)

// RemoteError is an exception that a server answered with.
type RemoteError struct {
	// Class is the Java class, such as org.apache.hadoop.hbase.NotServingRegionException.
	Class string
	// Message is the exception's text, with the stack trace where there is one.
	Message string
	// DoNotRetry and Overloaded are what the server said itself; of an exception
	// for one row or region they are never set.
	DoNotRetry, Overloaded bool
	// Moved is where the region is now, if the exception knows.
	Moved *Server
}

func (e *RemoteError) Error() string {
	text, _, _ := strings.Cut(e.Message, "\n")
	text = strings.TrimPrefix(strings.TrimPrefix(text, e.Class), ": ")
	name := e.Class[strings.LastIndexByte(e.Class, '.')+1:]
	if text == "" {
		return name
	}
	return fmt.Sprintf("%s: %.300s", name, text)
}

// parseException reads an ExceptionResponse.
func parseException(b []byte) (*RemoteError, error) {
	e := &RemoteError{}
	var at Server
	f := wire.Read(b)
	for f.Next() {
		switch f.Number {
		case 1:
			e.Class = string(f.Bytes)
		case 2:
			e.Message = string(f.Bytes)
		case 3:
			at.Host = string(f.Bytes)
		case 4:
			at.Port = int(int32(f.Uint))
		case 5:
			e.DoNotRetry = f.Bool()
		case 6:
			e.Overloaded = f.Bool()
		}
	}
	if e.Class == classRegionMoved && at.Host != "" && at.Port > 0 {
		e.Moved = &at
	}
	return e, f.Err
}

// ParseNested reads the exception of a region or row within an answer: a
// NameBytesPair of class and text.
func ParseNested(b []byte) (*RemoteError, error) {
	e := &RemoteError{}
	f := wire.Read(b)
	for f.Next() {
		switch f.Number {
		case 1:
			e.Class = string(f.Bytes)
		case 2:
			e.Message = string(f.Bytes)
		}
	}
	if e.Class == classRegionMoved {
		e.Moved = movedTo(e.Message)
	}
	return e, f.Err
}

// movedTo reads "… hostname=HOST port=16020 startCode=1." of RegionMovedException.
func movedTo(text string) *Server {
	var s Server
	_, text, ok := strings.Cut(text, "hostname=")
	if !ok {
		return nil
	}
	var port string
	s.Host, text, ok = strings.Cut(text, " port=")
	if ok {
		port, _, _ = strings.Cut(text, " ")
	}
	if _, err := fmt.Sscan(port, &s.Port); err != nil || s.Port <= 0 || s.Port > 65535 || strings.ContainsAny(s.Host, " \n") {
		return nil
	}
	return &s
}

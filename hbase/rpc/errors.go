package rpc

import (
	"errors"
	"fmt"
	"strings"

	"sluice/hbase/wire"
)

var (
	// ErrLost is returned if the connection broke, or could not be made, before the response. The
	// call may have been executed.
	ErrLost = errors.New("connection lost")
	// ErrSilent is returned if the server's machine accepts bytes, and the server does not respond.
	// It is also an ErrLost.
	ErrSilent = errors.New("the server is silent")
	// ErrMute is returned if the server closed a connection without sending anything. It is also an
	// ErrLost. HBase does so if it requires TLS and the client does not use it, and servers of
	// other protocols do.
	ErrMute = errors.New("the server closed the connection without a word: is it HBase, and does it want TLS, a certificate of ours, or neither?")
	// ErrSettings is returned if client and server cannot work together before settings, tickets or
	// certificates are changed. Errors of a Handshake may be one.
	ErrSettings = errors.New("settings")
	// ErrClosed is returned if the connection or the pool was closed on this side.
	ErrClosed = errors.New("rpc: closed")
)

// RemoteError is an exception returned by a server.
type RemoteError struct {
	// Class is the Java class, such as org.apache.hadoop.hbase.NotServingRegionException.
	Class string
	// Message is the exception's text, with the stack trace if there is one.
	Message string
	// DoNotRetry and Overloaded are set by the server; never for an exception of one row or region.
	DoNotRetry, Overloaded bool
	// Moved is the new location of the region, if the exception has it.
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

// parseException parses an ExceptionResponse.
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

// ParseNested parses the exception of a region or row in a response: a NameBytesPair of class and
// text.
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

// movedTo parses "… hostname=HOST port=16020 startCode=1." of RegionMovedException.
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

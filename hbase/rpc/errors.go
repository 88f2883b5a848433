package rpc

import (
	"errors"
	"fmt"
	"strings"

	"sluice/hadoop"
	"sluice/hadoop/protobuf"
)

var (
	// ErrLost is returned if the connection broke, or could not be made, before the response. The
	// call may have been executed.
	ErrLost = errors.New("connection lost")
	// ErrSilent is returned if the server's machine accepts bytes, and the server does not respond.
	// It is also an ErrLost.
	ErrSilent = errors.New("the server does not answer")
	// ErrNoAnswer and ErrSettings are those of package hadoop.
	ErrNoAnswer = hadoop.ErrNoAnswer
	ErrSettings = hadoop.ErrSettings
	// errClosed is returned if the connection or the pool was closed on this side.
	errClosed = errors.New("rpc: closed")
)

// RemoteError is an exception returned by a server.
type RemoteError = hadoop.RemoteError

// parseException parses an ExceptionResponse.
func parseException(b []byte) (*RemoteError, error) {
	e := &RemoteError{}
	var at Server
	f := protobuf.Read(b)
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
	f := protobuf.Read(b)
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

package region

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"

	"sluice/hadoop/protobuf"
	"sluice/hbase/rpc"
	"sluice/hbase/wire"
)

// Registry finds the first servers of a cluster.
type Registry interface {
	// Meta returns the server of the meta table's only region.
	Meta(ctx context.Context) (rpc.Server, error)
	// Master returns the active master.
	Master(ctx context.Context) (rpc.Server, error)
	Close() error
}

var (
	// errNoServer is returned if the cluster has no such server now.
	errNoServer = errors.New("no server")
	// ErrNoNode is returned if ZooKeeper has no such node. It is also an errNoServer.
	ErrNoNode = errors.New("the node does not exist")
)

// ParseServerName parses a ServerName {1 host, 2 port, 3 start code}.
func ParseServerName(b []byte) (s rpc.Server, err error) {
	f := protobuf.Read(b)
	for f.Next() {
		switch f.Number {
		case 1:
			s.Host = string(f.Bytes)
		case 2:
			s.Port = int(f.Uint)
		case 3:
			s.StartCode = f.Uint
		}
	}
	if f.Err != nil {
		return s, f.Err
	}
	return s, checkServer(s)
}

func checkServer(s rpc.Server) error {
	if s.Host == "" || s.Port <= 0 || s.Port > 65535 {
		return fmt.Errorf("%w: %q, port %d is no server", wire.ErrMalformed, s.Host, s.Port)
	}
	return nil
}

// parseZNode parses the server in a node of ZooKeeper: 0xFF, u32 length of an id, the id, "PBUF",
// and a message whose field 1 is the ServerName.
func parseZNode(b []byte) (rpc.Server, error) {
	var none rpc.Server
	if len(b) < 5 || b[0] != 0xff || uint64(binary.BigEndian.Uint32(b[1:])) > uint64(len(b)-5) {
		return none, fmt.Errorf("%w: a node of %d bytes", wire.ErrMalformed, len(b))
	}
	message, ok := bytes.CutPrefix(b[5+binary.BigEndian.Uint32(b[1:]):], []byte("PBUF"))
	if !ok {
		return none, fmt.Errorf("%w: a node without PBUF", wire.ErrMalformed)
	}
	f := protobuf.Read(message)
	for f.Next() {
		if f.Number == 1 && f.Bytes != nil {
			return ParseServerName(f.Bytes)
		}
	}
	return none, fmt.Errorf("%w: a node without a server", errors.Join(wire.ErrMalformed, f.Err))
}

// RPCRegistry is a Registry that asks masters or any other servers, without ZooKeeper.
type RPCRegistry struct {
	pool    *rpc.Pool
	servers []rpc.Server
	answers answers
}

// NewRPCRegistry returns a registry of these servers, called through the pool.
func NewRPCRegistry(pool *rpc.Pool, servers []rpc.Server) *RPCRegistry {
	r := &RPCRegistry{pool: pool, servers: servers}
	for _, s := range servers {
		r.answers.servers = append(r.answers.servers, s.Address())
	}
	return r
}

// Close does nothing: the pool belongs to its owner.
func (r *RPCRegistry) Close() error { return nil }

// Meta implements Registry.
func (r *RPCRegistry) Meta(ctx context.Context) (rpc.Server, error) {
	return r.ask(ctx, "GetMetaRegionLocations", func(message []byte) (rpc.Server, error) {
		f := protobuf.Read(message)
		for f.Next() {
			if f.Number != 1 {
				continue
			}
			location := protobuf.Read(f.Bytes)
			for location.Next() {
				if location.Number == 2 && location.Bytes != nil {
					return ParseServerName(location.Bytes)
				}
			}
		}
		return rpc.Server{}, errors.Join(errNoServer, f.Err)
	})
}

// Master implements Registry.
func (r *RPCRegistry) Master(ctx context.Context) (rpc.Server, error) {
	return r.ask(ctx, "GetActiveMaster", func(message []byte) (rpc.Server, error) {
		f := protobuf.Read(message)
		for f.Next() {
			if f.Number == 1 && f.Bytes != nil {
				return ParseServerName(f.Bytes)
			}
		}
		return rpc.Server{}, errors.Join(errNoServer, f.Err)
	})
}

// ask asks one server after the other, starting with any of them.
func (r *RPCRegistry) ask(ctx context.Context, method string, read func([]byte) (rpc.Server, error)) (rpc.Server, error) {
	var errs []error
	first := rand.IntN(len(r.servers))
	for i := range r.servers {
		server := r.servers[(first+i)%len(r.servers)]
		found, e := r.askOne(ctx, server, method, read)
		if e == nil {
			return found, nil
		}
		if ctx.Err() == nil || i == 0 { // of the others, the error is only a timeout
			r.answers.note(server.Address(), e)
		}
		errs = append(errs, e)
		if ctx.Err() != nil {
			break
		}
	}
	return rpc.Server{}, &askError{errors.Join(errs...), len(r.servers), r.answers.String()}
}

func (r *RPCRegistry) askOne(ctx context.Context, server rpc.Server, method string, read func([]byte) (rpc.Server, error)) (rpc.Server, error) {
	response, err := r.pool.Call(ctx, server, rpc.MetaService, &rpc.Request{Method: method})
	if err != nil {
		return rpc.Server{}, err
	}
	defer response.Release()
	found, err := read(response.Message)
	if err != nil {
		return found, fmt.Errorf("%s: %s: %w", server, method, err)
	}
	return found, nil
}

// askError has the results of all servers, also of earlier attempts.
type askError struct {
	error
	servers int
	all     string
}

func (e *askError) Unwrap() error { return e.error }

func (e *askError) Error() string {
	if e.servers == 1 {
		return e.error.Error()
	}
	return "no master answers: " + e.all
}

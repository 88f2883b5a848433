package hbase

import (
	"log/slog"
	"time"

	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/schema"
)

// Durability says when a server answers that it has a row.
type Durability uint8

// The durabilities, as HBase numbers them.
const (
	// SyncWAL: when the write-ahead log has it on every replica. The default.
	SyncWAL Durability = 3
	// AsyncWAL: before; a server's death loses what was written just before it, and
	// Flush promises less than it says.
	AsyncWAL Durability = 2
	// FsyncWAL: when the replicas' disks have it.
	FsyncWAL Durability = 4
)

// Options say how a cluster is spoken to. The zero Options are good for one without
// security.
type Options struct {
	// Layout is what the table must have; nil: what it has.
	Layout *schema.Layout
	// Timeout bounds making a connection and the silence of a server that has
	// something to answer; 0: 5 s. It does not bound how long something is tried.
	Timeout time.Duration
	// Wait is how long something is tried without success; 0: until its context
	// ends. What was tried for so long is an *rpc.UnreachableError.
	Wait time.Duration
	// User is who a cluster without security is told we are.
	User string
	// Handshake makes connections secure; nil: simple.
	Handshake rpc.Handshake
	// Durability of what is written; 0: SyncWAL.
	Durability Durability
	// Snappy compresses cells on the network.
	Snappy bool
	// Refused is told of a row that no server will ever take, with the reason; its
	// bytes are valid until it returns. It keeps the row safe elsewhere, or returns
	// an error, which ends writing. nil: ends writing. It is called by one goroutine
	// at a time.
	Refused func(key []byte, cells []schema.Cell, reason error) error
	// Logger is told when something is tried again, and when it works again; nil:
	// nobody.
	Logger *slog.Logger
	// Now is the clock of State; nil: time.Now.
	Now func() time.Time
}

const (
	// maxRequestBytes is what a request to one server holds: below 0.5 MB a row
	// costs more CPU, and above 2 MB it does not cost less.
	maxRequestBytes = 2 << 20
	// maxRequestRows bounds the rows of one region in a request.
	maxRequestRows = 16 << 10
	// windowBytes is how much may be on its way to one server: one request that is
	// worked on, and one that is coming.
	windowBytes = 4 << 20
	// callTimeout is for a call to a server that is alive; one that is not is
	// noticed at Options.Timeout. A server's own limit for a call is 60 s.
	callTimeout = 60 * time.Second
)

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = rpc.DefaultTimeout
	}
	if o.Durability == 0 {
		o.Durability = SyncWAL
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// openCluster opens the cluster of a URL: nothing is connected until something is
// asked. What is tried again is noted in troubles.
func openCluster(u URL, o Options, troubles *region.Troubles) *region.Cluster {
	pool := rpc.NewPool(rpc.Options{User: o.User, Timeout: o.Timeout, Handshake: o.Handshake, Snappy: o.Snappy})
	var registry region.Registry
	if u.Scheme == SchemeRPC {
		registry = region.NewRPCRegistry(pool, u.Servers)
	} else {
		registry = region.NewZooKeeper(u.addresses(), u.Root, o.Timeout, o.Logger)
	}
	return region.NewCluster(registry, pool, o.Timeout, o.Wait, troubles)
}

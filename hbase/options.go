package hbase

import (
	"log/slog"
	"time"

	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/retry"
	"sluice/schema"
)

// Durability is the condition under which a server acknowledges a row.
type Durability uint8

// The durabilities, as HBase numbers them.
const (
	// SyncWAL: the write-ahead log of every replica has the row. The default.
	SyncWAL Durability = 3
	// AsyncWAL: before that; a crash of the server loses the last rows, and Flush does not
	// guarantee durability.
	AsyncWAL Durability = 2
	// FsyncWAL: the replicas' disks have the row.
	FsyncWAL Durability = 4
)

// Options are the settings of a client. The zero Options are for a cluster without security.
type Options struct {
	// Layout is the required layout of the table; nil: any.
	Layout *schema.Layout
	// Timeout bounds a connection attempt, and the silence of a server with pending calls; 0: 5 s.
	// It does not bound retries.
	Timeout time.Duration
	// Wait bounds the time of failing attempts; 0: until the context ends. Then the error is an
	// *rpc.UnreachableError.
	Wait time.Duration
	// User is the user name for a cluster without security.
	User string
	// Handshake secures connections; nil: none.
	Handshake rpc.Handshake
	// Durability is that of written rows; 0: SyncWAL.
	Durability Durability
	// Snappy enables compression of cells on the network.
	Snappy bool
	// Refused is called for a row that no server will accept, with the reason. The row's bytes are
	// valid until it returns. It must store the row elsewhere, or return an error, which ends
	// writing. nil: such a row ends writing. It is called by one goroutine at a time.
	Refused func(key []byte, cells []schema.Cell, reason error) error
	// Logger logs failures that are retried, and recoveries; nil: none.
	Logger *slog.Logger
	// Now is the clock of State; nil: time.Now.
	Now func() time.Time
}

const (
	// maxRequestBytes is the size of a request to one server: below 0.5 MB a row costs more CPU,
	// and above 2 MB it does not cost less.
	maxRequestBytes = 2 << 20
	// maxRequestRows bounds the rows of one region in a request.
	maxRequestRows = 16 << 10
	// windowBytes bounds the in-flight bytes of one server: one request that is processed, and one
	// that is being sent.
	windowBytes = 4 << 20
	// callTimeout bounds a call to a server that responds; one that does not is detected by
	// Options.Timeout. A server's own limit for a call is 60 s.
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

// openCluster opens the cluster of a URL without connecting. Retries are recorded in retries.
func openCluster(u URL, o Options, retries *retry.Registry) *region.Cluster {
	pool := rpc.NewPool(rpc.Options{User: o.User, Timeout: o.Timeout, Handshake: o.Handshake, Snappy: o.Snappy})
	var registry region.Registry
	if u.Scheme == SchemeRPC {
		registry = region.NewRPCRegistry(pool, u.Servers)
	} else {
		registry = region.NewZooKeeper(u.addresses(), u.Root, o.Timeout, o.Logger)
	}
	return region.NewCluster(registry, pool, o.Timeout, o.Wait, retries)
}

package receiver

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"sluice/ingest/avrorpc"
	"sluice/ingest/checkpoint"
	"sluice/ingest/collector"
	"sluice/ingest/logfile"
	"sluice/ingest/protocol"
	"sluice/parse"
	"sluice/schema"
)

const (
	// maxBodyBytes is the limit of a batch's uncompressed bytes: the longest line, and the batch
	// that a sender had before it.
	maxBodyBytes = logfile.MaxLineBytes + 1<<20
	// senders are asked for batches of maxBatchBytes or, if they are many, for smaller ones, of
	// which all hosts together have sharedBatchBytes, but not for less than minBatchBytes: an agent
	// has the fewer batches in flight the smaller they are.
	maxBatchBytes    = 1 << 20
	minBatchBytes    = 256 << 10
	sharedBatchBytes = 32 << 20
	// keptRoomBytes is how much memory a decoder keeps between batches.
	keptRoomBytes = 2 << 20
	// hostsDecoding is how many batches are decoded and parsed at a time, for each processor. One
	// host may use half as many turns as there are processors, so that slow lines of one host leave
	// the other half to the others. An agent sends by one connection, so it uses one turn anyway.
	hostsDecoding = 8
	// maxDecodedBytes is the limit of the lines of all batches that are being parsed.
	maxDecodedBytes = 64 << 20
	// forgetAfter is when a stream is forgotten that no agent names any more and that is stored
	// completely.
	forgetAfter = 7 * 24 * time.Hour
	// forgetInterval is the time between two searches for such streams.
	forgetInterval = time.Minute
	// maxHosts limits the memory that a sender can use by reporting many host names.
	maxHosts = 10_000
)

// Config configures a Receiver.
type Config struct {
	Checkpoint *checkpoint.File
	Collector  *collector.Collector
	// FlumeFormat is the LogFormat of Flume's events, or auto (the same as ""). FlumeZone is the
	// time zone of times that have none.
	FlumeFormat, FlumeZone string
	// FlumeWait is how long events may wait for space in the spool before Flume is asked to send
	// them again. 0: 10 s.
	FlumeWait time.Duration
	Log       *slog.Logger
	// Quota limits the streams of hosts.
	Quota checkpoint.Quota
	// AllowBacktracking permits any pattern of a sender; otherwise only patterns whose time for a
	// line is linear and bounded.
	AllowBacktracking bool
	// Retired are hosts that are no longer expected, until they connect again.
	Retired []string
	// AcknowledgedLoss returns the number up to which the losses of a host were acknowledged here,
	// 0 if none were. nil: none of any host.
	AcknowledgedLoss func(host string) int64
	// Now is the clock of Hosts and Tick. nil: time.Now.
	Now func() time.Time
}

// Receiver answers agents. Its methods may be called concurrently.
type Receiver struct {
	cfg      Config
	decoders chan *decoder
	decoded  *semaphore.Weighted // limits the bytes that decoders hold

	// declaring is held while streams are added to the checkpoint or forgotten.
	declaring sync.Mutex

	mu    sync.Mutex
	hosts map[string]*Host
	live  map[schema.StreamID]int // number of sessions that named it
	named int                     // number of streams of all connections

	unsaved atomic.Bool          // the checkpoint must be saved at the next tick
	forgot  time.Time            // when forget ran last; guarded by declaring
	evicted map[string]time.Time // when a host had no idle stream; guarded by declaring

	places *places   // named by Flume's events
	runs   sync.Pool // *run
}

// decoder is a codec with its buffer.
type decoder struct {
	codec *protocol.Codec
	room  []byte
}

// New returns a Receiver. Close must be called after the last connection has ended.
func New(cfg Config) (*Receiver, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.AcknowledgedLoss == nil {
		cfg.AcknowledgedLoss = func(string) int64 { return 0 }
	}
	cfg.Quota = cfg.Quota.WithDefaults()
	cfg.Checkpoint.Declared.SetQuota(cfg.Quota)
	cfg.FlumeFormat = cmp.Or(cfg.FlumeFormat, parse.AutoName)
	cfg.FlumeWait = cmp.Or(cfg.FlumeWait, flumeWait)
	r := &Receiver{cfg: cfg, decoders: make(chan *decoder, hostsDecoding*runtime.GOMAXPROCS(0)), decoded: semaphore.NewWeighted(maxDecodedBytes), hosts: map[string]*Host{}, live: map[schema.StreamID]int{}, places: newPlaces(), evicted: map[string]time.Time{}}
	r.runs.New = func() any { return new(run) }
	for range cap(r.decoders) {
		codec, err := protocol.NewCodec(maxBodyBytes)
		if err != nil {
			return nil, err
		}
		r.decoders <- &decoder{codec: codec}
	}
	changed := !cfg.Checkpoint.Found() // a later start would report a spool without a checkpoint as an error
	for _, host := range cfg.Retired {
		changed = cfg.Checkpoint.Expected.Set(host, false) || changed
	}
	if changed {
		if err := cfg.Checkpoint.Save(); err != nil {
			if !cfg.Checkpoint.Found() {
				return nil, err
			}
			r.unsaved.Store(true)
			cfg.Log.Warn("cannot save the list of expected hosts, will retry", "err", err)
		}
	}
	for _, host := range cfg.Checkpoint.Expected.All() {
		r.hosts[host] = &Host{Name: host, Seen: cfg.Now(), Missed: true, Earlier: true}
	}
	return r, nil
}

// Close frees the decoders.
func (r *Receiver) Close() {
	for range cap(r.decoders) {
		(<-r.decoders).codec.Close()
	}
}

// defaultConns is the default limit of connections in a process that can open enough files.
const defaultConns = 1024

// reservedFiles are kept for table, archive, spool and status in a process that can open few files.
const reservedFiles = 32

// MaxConns returns the greatest limit of connections in a process that can open so many files: half
// of them are for connections.
func MaxConns(openFiles int) int { return max(2, min(openFiles/2, openFiles-reservedFiles)) }

// Limits returns the limits of a server that accepts the largest batch, in a process that can open
// so many files. conns limits the connections, and perAddress those of one address; 0 is the
// default: MaxConns, at most 1,024, and a sixteenth of conns.
func Limits(openFiles, conns, perAddress int) avrorpc.Limits {
	conns = cmp.Or(conns, min(defaultConns, MaxConns(openFiles)))
	return avrorpc.Limits{FrameBytes: maxBodyBytes + 1<<20, Conns: conns, ConnsPerPeer: cmp.Or(perAddress, max(1, conns/16))}
}

// Services returns the services for agents: one for each version of the protocol, the newest first.
func (r *Receiver) Services() (services []avrorpc.Service) {
	for _, v := range protocol.Versions() {
		services = append(services, avrorpc.Service{Protocol: v.Protocol(), Open: func(_ context.Context, peer avrorpc.Peer) (avrorpc.Session, error) {
			return &session{Receiver: r, version: v, peer: peer, streams: map[schema.StreamID]*namedStream{}, active: map[schema.StreamID]*namedStream{}}, nil
		}})
	}
	return services
}

// Tick forgets old streams and hosts, saves the checkpoint if necessary, and calls the collector's
// Tick. It must be called regularly.
func (r *Receiver) Tick(now time.Time) error {
	r.declaring.Lock()
	defer r.declaring.Unlock()
	r.forget(now)
	maps.DeleteFunc(r.evicted, func(_ string, at time.Time) bool { return now.Sub(at) >= evictAgain })
	r.forgetHosts(now)
	if r.unsaved.CompareAndSwap(true, false) {
		if err := r.cfg.Checkpoint.Save(); err != nil {
			r.unsaved.Store(true)
			r.cfg.Log.Warn("cannot save the list of expected hosts, will retry", "err", err)
		}
	}
	return r.cfg.Collector.Tick(now)
}

// forget removes streams that no agent will name again. Each rotation of each log creates a stream.
func (r *Receiver) forget(now time.Time) {
	if now.Sub(r.forgot) < forgetInterval && !now.Before(r.forgot) {
		return
	}
	r.forgot = now
	var old []*checkpoint.Stream
	streams := r.cfg.Checkpoint.Streams()
	r.mu.Lock()
	r.cfg.Checkpoint.Update(func() {
		for _, t := range streams {
			switch {
			case r.live[t.ID] > 0:
				t.GoneUnix = 0
			case t.GoneUnix == 0:
				t.GoneUnix = now.Unix()
			case now.Sub(time.Unix(t.GoneUnix, 0)) >= forgetAfter:
				old = append(old, t)
			}
		}
	})
	r.mu.Unlock()
	if old = r.stored(old); len(old) > 0 {
		r.forgetAll(old)
	}
}

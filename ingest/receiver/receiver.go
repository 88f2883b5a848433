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

	"sluice/ingest"
	"sluice/ingest/avrorpc"
	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/ingest/protocol"
	"sluice/parse"
	"sluice/schema"
)

const (
	// MaxBodyBytes bounds a batch's bytes, uncompressed: one line of the longest kind
	// and what a sender keeps beside it.
	MaxBodyBytes = logfile.MaxLineBytes + 1<<20
	// batchBytes is what senders are asked for.
	batchBytes = 1 << 20
	// keptRoomBytes is how much memory a decoder keeps between batches.
	keptRoomBytes = 2 << 20
	// hostsDecoding is how many batches are decoded and parsed at a time, for each processor.
	// One host has half as many as there are processors: if its lines take long the others
	// have the other half. An agent sends by one connection, so it has one at a time anyway.
	hostsDecoding = 8
	// maxDecodedBytes bounds the lines of all batches that are being parsed.
	maxDecodedBytes = 64 << 20
	// forgetAfter: a stream that no agent speaks of any more, and all of which is
	// stored, is forgotten.
	forgetAfter = 7 * 24 * time.Hour
	// forgetInterval is the time between two looks for such streams.
	forgetInterval = time.Minute
	// maxHosts bounds what somebody makes us remember who says hello under one name
	// after the other.
	maxHosts = 10_000
)

// Config is what a Receiver works with.
type Config struct {
	Checkpoint *checkpoint.File
	Collector  *ingest.Collector
	// FlumeFormat is the LogFormat of what Flume sends, or auto (also ""); FlumeZone the zone of
	// times that say none.
	FlumeFormat, FlumeZone string
	// FlumeWait is how long events may wait for room in the spool before Flume is told
	// to send them again; 0: 10 s.
	FlumeWait time.Duration
	Log       *slog.Logger
	// Quota bounds the streams that hosts may have.
	Quota checkpoint.Quota
	// AllowBacktracking takes any pattern that a host names for its lines; else those
	// only whose time for a line is linear and bounded.
	AllowBacktracking bool
	// Retired are hosts that are not missed any more, until they come again.
	Retired []string
	// Now is the clock of Hosts and Tick; nil: time.Now.
	Now func() time.Time
}

// Receiver answers agents. Its methods may be called by several goroutines.
type Receiver struct {
	cfg      Config
	decoders chan *decoder
	decoded  *semaphore.Weighted // bytes that decoders hold

	// declaring is held while streams are declared, and while they are forgotten.
	declaring sync.Mutex

	mu    sync.Mutex
	hosts map[string]*Host
	live  map[schema.StreamID]int // sessions that said it
	named int                     // streams of all connections

	unsaved atomic.Bool          // the checkpoint is to be saved with the next tick
	forgot  time.Time            // when forget last looked; declaring is held
	evicted map[string]time.Time // when a host had no idle stream; declaring is held

	places *places   // that Flume's events name
	runs   sync.Pool // *run
}

// decoder is a codec and its memory.
type decoder struct {
	codec *protocol.Codec
	room  []byte
}

// New makes a Receiver; Close lets go of it after the last connection.
func New(cfg Config) (*Receiver, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Quota = cfg.Quota.WithDefaults()
	cfg.Checkpoint.SetQuota(cfg.Quota)
	cfg.FlumeFormat = cmp.Or(cfg.FlumeFormat, parse.AutoName)
	cfg.FlumeWait = cmp.Or(cfg.FlumeWait, flumeWait)
	r := &Receiver{cfg: cfg, decoders: make(chan *decoder, hostsDecoding*runtime.GOMAXPROCS(0)), decoded: semaphore.NewWeighted(maxDecodedBytes), hosts: map[string]*Host{}, live: map[schema.StreamID]int{}, places: newPlaces(), evicted: map[string]time.Time{}}
	r.runs.New = func() any { return new(run) }
	for range cap(r.decoders) {
		codec, err := protocol.NewCodec(MaxBodyBytes)
		if err != nil {
			return nil, err
		}
		r.decoders <- &decoder{codec: codec}
	}
	changed := !cfg.Checkpoint.Found() // a spool without a checkpoint would be an error
	for _, host := range cfg.Retired {
		changed = cfg.Checkpoint.Expect(host, false) || changed
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
	for _, host := range cfg.Checkpoint.Hosts() {
		r.hosts[host] = &Host{Name: host, Seen: cfg.Now(), Missed: true, Earlier: true}
	}
	return r, nil
}

// Close lets go of memory.
func (r *Receiver) Close() {
	for range cap(r.decoders) {
		(<-r.decoders).codec.Close()
	}
}

// maxConns is how many connections a process has that may open enough files.
const maxConns = 1024

// reservedFiles are left for table, archive, spool and status of a process that may open
// few files.
const reservedFiles = 32

// Limits are those of a server that takes the largest batch there is, in a process that may
// open so many files: half are for connections. One address may have a sixteenth of them.
func Limits(openFiles int) avrorpc.Limits {
	conns := max(2, min(maxConns, openFiles/2, openFiles-reservedFiles))
	return avrorpc.Limits{FrameBytes: MaxBodyBytes + 1<<20, Conns: conns, ConnsPerPeer: max(1, conns/16)}
}

// Service answers agents.
func (r *Receiver) Service() avrorpc.Service {
	return avrorpc.Service{Protocol: protocol.New(), Open: func(_ context.Context, peer avrorpc.Peer) (avrorpc.Session, error) {
		return &session{Receiver: r, peer: peer, streams: map[schema.StreamID]*said{}, active: map[schema.StreamID]*said{}}, nil
	}}
}

// Tick does what is due by the clock, the collector's too.
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

// forget drops streams that nobody will ask for: each rotation of each log makes one.
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

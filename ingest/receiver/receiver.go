package receiver

import (
	"cmp"
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

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
	// forgetAfter: a stream that no agent speaks of any more, and all of which is
	// stored, is forgotten.
	forgetAfter = 30 * 24 * time.Hour
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
	// Retired are hosts that are not missed any more, until they come again.
	Retired []string
	// Now is the clock of Hosts and Tick; nil: time.Now.
	Now func() time.Time
}

// Receiver answers agents. Its methods may be called by several goroutines.
type Receiver struct {
	cfg      Config
	decoders chan *decoder

	// declaring is held while streams are declared, and while they are forgotten.
	declaring sync.Mutex

	mu    sync.Mutex
	hosts map[string]*Host
	live  map[schema.StreamID]int // sessions that said it

	places *places   // that Flume's events name
	runs   sync.Pool // *run
}

// Host is what is known of a host that sends.
type Host struct {
	Name, Agent string
	// Connections are open; Seen is when it last said something.
	Connections int
	Seen        time.Time
	// Beat is its last heartbeat, which came at BeatAt; Streams of it are not kept, but
	// for the time of the oldest unread byte, by the sender's clock: 0 is none.
	Beat           protocol.Heartbeat
	BeatAt         time.Time
	OldestUnreadMs int64
	// Missed: this collector is the host's first choice, so that it is missed when it is
	// silent. Earlier: it sent in an earlier life, and not yet in this one.
	Missed, Earlier bool
	// Batches, Lines and Bytes came since this process began; Busy and Refused were
	// not taken.
	Batches, Lines, Bytes, Busy, Refused int64
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
	cfg.FlumeFormat = cmp.Or(cfg.FlumeFormat, parse.AutoName)
	cfg.FlumeWait = cmp.Or(cfg.FlumeWait, flumeWait)
	r := &Receiver{cfg: cfg, decoders: make(chan *decoder, runtime.GOMAXPROCS(0)), hosts: map[string]*Host{}, live: map[schema.StreamID]int{}, places: newPlaces()}
	r.runs.New = func() any { return new(run) }
	for range cap(r.decoders) {
		codec, err := protocol.NewCodec(MaxBodyBytes)
		if err != nil {
			return nil, err
		}
		r.decoders <- &decoder{codec: codec}
	}
	retired := false
	for _, host := range cfg.Retired {
		retired = cfg.Checkpoint.Expect(host, false) || retired
	}
	if retired {
		if err := cfg.Checkpoint.Save(); err != nil {
			return nil, err
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

// Limits are those of a server that takes the largest batch there is.
func Limits() avrorpc.Limits { return avrorpc.Limits{FrameBytes: MaxBodyBytes + 1<<20} }

// Service answers agents.
func (r *Receiver) Service() avrorpc.Service {
	return avrorpc.Service{Protocol: protocol.New(), Open: func(_ context.Context, peer avrorpc.Peer) (avrorpc.Session, error) {
		return &session{Receiver: r, peer: peer, streams: map[schema.StreamID]*said{}}, nil
	}}
}

// Hosts are all that sent since this process began, and those that are missed, by
// name.
func (r *Receiver) Hosts() []Host {
	r.mu.Lock()
	defer r.mu.Unlock()
	hosts := make([]Host, 0, len(r.hosts))
	for _, h := range r.hosts {
		hosts = append(hosts, *h)
	}
	slices.SortFunc(hosts, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	return hosts
}

// room says whether one more host can be kept in mind.
func (r *Receiver) room(host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hosts[host] != nil || len(r.hosts) < maxHosts
}

// note changes what is known of a host that said something just now.
func (r *Receiver) note(host string, change func(*Host)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hosts[host]
	if h == nil {
		h = &Host{Name: host, Missed: true}
		r.hosts[host] = h
	}
	h.Seen, h.Earlier = r.cfg.Now(), false
	change(h)
}

// Tick does what is due by the clock, the collector's too.
func (r *Receiver) Tick(now time.Time) error {
	r.declaring.Lock()
	defer r.declaring.Unlock()
	r.forget(now)
	return r.cfg.Collector.Tick(now)
}

// forget drops streams that nobody will ask for: each rotation of each log makes one.
func (r *Receiver) forget(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var old []*checkpoint.Stream
	streams := r.cfg.Checkpoint.Streams()
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
	old = slices.DeleteFunc(old, func(t *checkpoint.Stream) bool {
		p := r.cfg.Collector.Position(t, 0)
		return p.Received > p.Stored || r.cfg.Collector.Holds(t)
	})
	if len(old) > 0 {
		r.cfg.Checkpoint.Forget(func(t *checkpoint.Stream) bool { return slices.Contains(old, t) })
	}
}

package message

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sluice/monitor"
)

// Sender sends messages to one destination.
type Sender interface {
	// Name returns the destination without secrets. It identifies the channel in saved state.
	Name() string
	// Send sends m. It must have a time limit of its own.
	Send(ctx context.Context, m *Message) error
}

// Config configures a Messenger.
type Config struct {
	Senders []Sender
	// Ping, if not nil, is called once a minute while no host and no process has failed.
	Ping Sender
	// Process is the name of the sending process in messages, such as "collector on c1".
	Process string
	// Wait is the time from the first change to its message. Other changes in this time are in
	// the same message.
	Wait time.Duration
	// Saved is the last state passed to Save, by an earlier process. nil: none.
	Saved []byte
	// Save, if not nil, stores the state after each message. Calls do not overlap, and a later call
	// has the later state.
	Save func(state []byte)
	Log  *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Messenger sends what changed to all channels. Its methods may be called by several goroutines.
type Messenger struct {
	cfg Config
	// saving has an item while the state is passed to Config.Save, so that a later state is saved
	// later. It is taken before mu.
	saving chan struct{}

	mu       sync.Mutex
	channels []*channel
	ping     *channel // nil: none
	states   []State  // nil: none yet
	offered  time.Time
	began    time.Time
}

// New makes a Messenger; Run starts it.
func New(cfg Config) *Messenger {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := &Messenger{cfg: cfg, began: cfg.Now(), saving: make(chan struct{}, 1)}
	saved := map[string]map[string]sentLevel{}
	if len(cfg.Saved) > 0 {
		if err := json.Unmarshal(cfg.Saved, &saved); err != nil {
			cfg.Log.Warn("saved state of messages unreadable, all problems are sent again", "err", err)
		}
	}
	for _, s := range cfg.Senders {
		c := newChannel(s.Name())
		for host, t := range saved[c.name] {
			c.lastSent[host] = t
		}
		m.channels = append(m.channels, c)
	}
	if cfg.Ping != nil {
		m.ping = newChannel(cfg.Ping.Name())
	}
	return m
}

// Offer sets the present states. The Messenger owns the slice afterwards.
func (m *Messenger) Offer(states []State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states, m.offered = states, m.cfg.Now()
}

// Problems returns a problem for each channel whose last attempt failed. A nil Messenger has
// none.
func (m *Messenger) Problems() (problems []monitor.Problem) {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range append(m.channels[:len(m.channels):len(m.channels)], m.ping) {
		if c != nil && c.err != nil {
			problems = append(problems, monitor.MessageUnsent.New(fmt.Sprintf("%s%s since %s, %d attempts: %s", unsentPrefix, c.name, c.since.UTC().Format(time.RFC3339), c.count, c.err)))
		}
	}
	return problems
}

const unsentPrefix = "cannot send messages to "

// checkInterval is the time between two checks whether something is to be sent.
const checkInterval = 500 * time.Millisecond

// Run sends until ctx is done. Each channel has its own goroutine: one that hangs delays no
// other.
func (m *Messenger) Run(ctx context.Context) {
	var running sync.WaitGroup
	for i := range m.channels {
		running.Go(func() { m.every(ctx, func() { m.step(ctx, i) }) })
	}
	if m.ping != nil {
		running.Go(func() { m.every(ctx, func() { m.stepPing(ctx) }) })
	}
	running.Wait()
}

func (m *Messenger) every(ctx context.Context, do func()) {
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			do()
		case <-ctx.Done():
			return
		}
	}
}

// step sends the message of channel i that is due, if any.
func (m *Messenger) step(ctx context.Context, i int) {
	now := m.cfg.Now()
	m.mu.Lock()
	c := m.channels[i]
	var message *Message
	// After a restart, hosts need time to connect again before they are compared with what was
	// sent.
	if m.states != nil && now.Sub(m.began) >= m.cfg.Wait {
		message = c.next(now, m.cfg.Wait, withoutOwn(m.states, c.name))
	}
	m.mu.Unlock()
	if message == nil {
		return
	}
	message.Process = m.cfg.Process
	whole := *message
	message.More = max(0, len(message.Changes)-maxChanges)
	message.Changes = message.Changes[:len(message.Changes)-message.More]
	err := m.cfg.Senders[i].Send(ctx, message)
	if ctx.Err() != nil && err != nil {
		return
	}
	m.mu.Lock()
	failed := c.err != nil
	c.sent(now, &whole, err)
	m.mu.Unlock()
	switch {
	case err != nil && !failed:
		m.cfg.Log.Warn("message not sent, retrying", "peer", c.name, "err", err, "retry_in", minInterval)
	case err == nil:
		m.cfg.Log.Info("message sent", "peer", c.name, "hosts", len(whole.Changes))
	}
	if err == nil && m.cfg.Save != nil {
		m.save()
	}
}

// save passes the present state to Config.Save. Channels that send at the same time save one after
// the other: otherwise the older of two states could be saved last.
func (m *Messenger) save() {
	m.saving <- struct{}{}
	defer func() { <-m.saving }()
	m.mu.Lock()
	state := m.stateText()
	m.mu.Unlock()
	if state != nil {
		m.cfg.Save(state)
	}
}

// stateText returns the state that New reads from Config.Saved. m.mu is held.
func (m *Messenger) stateText() []byte {
	all := map[string]map[string]sentLevel{}
	for _, c := range m.channels {
		all[c.name] = c.lastSent
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil
	}
	return text
}

// withoutOwn returns the states without the failure of the channel itself, which the channel
// cannot report, and the level of the process that follows from the other problems.
func withoutOwn(states []State, channel string) []State {
	own := make([]State, len(states))
	copy(own, states)
	for i := range own {
		if own[i].Host != "" {
			continue
		}
		own[i].Problems, own[i].Level = nil, monitor.Okay
		for _, p := range states[i].Problems {
			if p.Kind == monitor.MessageUnsent && len(p.Text) > len(unsentPrefix)+len(channel) && p.Text[len(unsentPrefix):len(unsentPrefix)+len(channel)] == channel {
				continue
			}
			own[i].Problems = append(own[i].Problems, p)
			if p.Level == monitor.Failing || own[i].Level == monitor.Okay {
				own[i].Level = p.Level
			}
		}
	}
	return own
}

// statesFor is the age of the last states up to which they are pinged for. They are offered every few
// seconds: a process whose reports hang does not know whether there is an error.
const statesFor = 2 * time.Minute

// stepPing pings once a minute while it is known that there is no error.
func (m *Messenger) stepPing(ctx context.Context) {
	now := m.cfg.Now()
	m.mu.Lock()
	due := m.states != nil && now.Sub(m.ping.triedAt) >= minInterval && now.Sub(m.offered) <= statesFor && wellOf(m.states)
	m.mu.Unlock()
	if !due {
		return
	}
	err := m.cfg.Ping.Send(ctx, &Message{At: now, Process: m.cfg.Process})
	if ctx.Err() != nil && err != nil {
		return
	}
	m.mu.Lock()
	failed := m.ping.err != nil
	m.ping.sent(now, &Message{}, err)
	m.mu.Unlock()
	if err != nil && !failed {
		m.cfg.Log.Warn("ping not sent, retrying", "peer", m.ping.name, "err", err, "retry_in", minInterval)
	}
}

func wellOf(states []State) bool {
	for _, s := range states {
		if s.Level == monitor.Failing {
			return false
		}
		for _, p := range s.Problems {
			if s.Host == "" && p.Level == monitor.Failing {
				return false
			}
		}
	}
	return true
}

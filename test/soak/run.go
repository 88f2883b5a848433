package soak

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// Check is what must hold when all daemons run again and the loads have ended.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// Soak is what Run puts together.
type Soak struct {
	World *World
	Plan  []Event
	// Free are events that begin at their times whatever the loads do; those of Plan
	// may have to wait.
	Free   []Event
	Length time.Duration
	Loads  []Load
	Checks []Check
	// Watch is called every second while the loads run, Report when that is over or
	// they do not end: it says in the journal what they did, and what they try.
	Watch, Report func()
	// Last, if any, is done when all daemons run again and the loads still work.
	Last func(ctx context.Context, w *World) error
	// Done counts the work of the loads that faults must not bring to rest for good.
	Done func() int64
}

// patience is how long loads may take to end when all daemons run again: a server
// that has just come back replays logs, and its regions were elsewhere.
const patience = 5 * time.Minute

// Run lets the plan happen while the loads work, mends everything, waits for the
// loads, and checks.
func (s *Soak) Run(ctx context.Context) error {
	s.World.Journal.Say("world", fmt.Sprintf("%d faults in %v", len(s.Plan)+len(s.Free), s.Length))
	loadsCtx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	loads, loadsCtx := errgroup.WithContext(loadsCtx)
	enough := make(chan struct{})
	for _, l := range s.Loads {
		loads.Go(func() error { return l.Run(loadsCtx, enough) })
	}
	watch, stopWatching := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); s.watch(watch) }()
	err := s.disturb(loadsCtx)
	close(enough)
	ended := make(chan error, 1)
	go func() { ended <- loads.Wait() }()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case e := <-ended:
		err = errors.Join(err, e)
	case <-late.C:
		stopWatching()
		<-watched
		s.Report()
		giveUp()
		err = errors.Join(err, fmt.Errorf("a call was not answered %v after all daemons ran again: %w", patience, <-ended))
	}
	stopWatching()
	<-watched
	if err != nil {
		return err
	}
	s.Report()
	s.World.Journal.Say("world", "faults and loads are over")
	for _, c := range s.Checks {
		if e := c.Run(ctx); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", c.Name, e))
		} else {
			s.World.Journal.Say("check", c.Name+": holds")
		}
	}
	return err
}

// disturb lets the plan happen, and mends everything. It ends early with a load
// that failed.
func (s *Soak) disturb(ctx context.Context) error {
	keeping, stopKeeping := context.WithCancel(ctx)
	var keeper, faults errgroup.Group
	keeper.Go(func() error { return s.World.keep(keeping) })
	length, cancel := context.WithTimeout(ctx, s.Length)
	defer cancel()
	begin := func(e Event) { faults.Go(func() error { s.World.act(ctx, e); return nil }) }
	free := make(chan int)
	go func() { free <- s.faults(length, s.Free, nil, begin) }()
	begun := s.faults(length, s.Plan, s.Done, begin)
	begun += <-free
	<-length.Done()
	err := faults.Wait()
	s.World.Journal.Say("world", fmt.Sprintf("%d faults are over, of %d planned", begun, len(s.Plan)+len(s.Free)))
	err = errors.Join(err, s.World.heal(ctx))
	if err == nil && s.Last != nil {
		err = s.Last(ctx, s.World)
	}
	stopKeeping()
	return errors.Join(err, keeper.Wait())
}

// faults begins a plan's events, each at its time, but not before something was done
// (as far as work says; nil: it does not matter) since the last but one began: so two or more may meet, and a slow machine's cluster,
// which needs minutes to come back, is not kept down for the whole time. What waits
// puts off all that follow. It returns how many there were.
func (s *Soak) faults(ctx context.Context, plan []Event, work func() int64, begin func(Event)) (begun int) {
	if work == nil {
		work = func() int64 { return int64(begun) }
	}
	began := time.Now()
	var late time.Duration
	var done []int64 // when each event began
	for i, e := range plan {
		wait(ctx, e.At+late-time.Since(began))
		for i >= 2 && work() == done[i-2] && ctx.Err() == nil {
			wait(ctx, time.Second)
			late = max(late, time.Since(began)-e.At)
		}
		if ctx.Err() != nil {
			break
		}
		done = append(done, work())
		begin(e)
		begun++
	}
	return begun
}

func (s *Soak) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.Watch()
		}
	}
}

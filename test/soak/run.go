package soak

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// check must hold when all daemons run again and the loads have ended.
type check struct {
	name string
	run  func(ctx context.Context) error
}

// scenario is a plan with its loads and checks.
type scenario struct {
	world *world
	plan  []event
	// free are events that begin at their times independent of the loads' progress; those of plan
	// may have to wait.
	free   []event
	length time.Duration
	loads  []load
	checks []check
	// everySecond is called every second while the loads run. report is called when they have ended or do
	// not end, to write to the journal what they did and what they are retrying.
	everySecond, report func()
	// last, if not nil, is called when all daemons run again and the loads still work.
	last func(ctx context.Context, w *world) error
	// done counts the work of loads that faults must not stop forever.
	done func() int64
}

// endLimit is the time within which loads must end when all daemons run again. A restarted server
// replays logs, and its regions have moved.
const endLimit = 10 * time.Minute

// Run runs the loads and the plan, repairs everything, waits for the loads, and checks. Its error has
// the text of the plan.
func (s *scenario) Run(ctx context.Context) error {
	if err := s.run(ctx); err != nil {
		return fmt.Errorf("%w\nThe plan, for -replay FILE, of which lines can be left out:\n%s", err, planText(slices.Concat(s.free, s.plan)))
	}
	return nil
}

func (s *scenario) run(ctx context.Context) error {
	s.world.journal.say("world", fmt.Sprintf("%d faults in %v", len(s.plan)+len(s.free), s.length))
	loadsCtx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	loads, loadsCtx := errgroup.WithContext(loadsCtx)
	enough := make(chan struct{})
	for _, l := range s.loads {
		loads.Go(func() error { return l.Run(loadsCtx, enough) })
	}
	watch, stopWatching := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); s.watch(watch) }()
	err := s.disturb(loadsCtx)
	close(enough)
	ended := make(chan error, 1)
	go func() { ended <- loads.Wait() }()
	late := time.NewTimer(endLimit)
	defer late.Stop()
	select {
	case e := <-ended:
		err = errors.Join(err, e)
	case <-late.C:
		stopWatching()
		<-watched
		s.report()
		giveUp()
		err = errors.Join(err, fmt.Errorf("a call was not answered %v after all daemons ran again: %w", endLimit, <-ended))
	}
	stopWatching()
	<-watched
	if err != nil {
		return err
	}
	s.report()
	s.world.journal.say("world", "faults and loads are over")
	for _, c := range s.checks {
		if e := c.run(ctx); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", c.name, e))
		} else {
			s.world.journal.say("check", c.name+": holds")
		}
	}
	return err
}

// disturb runs the plan, and repairs everything. It ends early if a load failed.
func (s *scenario) disturb(ctx context.Context) error {
	keeping, stopKeeping := context.WithCancel(ctx)
	var keeper, faults errgroup.Group
	keeper.Go(func() error { return s.world.keep(keeping) })
	length, cancel := context.WithTimeout(ctx, s.length)
	defer cancel()
	begin := func(e event) { faults.Go(func() error { s.world.act(ctx, e); return nil }) }
	free := make(chan int)
	go func() { free <- s.faults(length, s.free, nil, begin) }()
	begun := s.faults(length, s.plan, s.done, begin)
	begun += <-free
	<-length.Done()
	err := faults.Wait()
	s.world.journal.say("world", fmt.Sprintf("%d faults are over, of %d planned", begun, len(s.plan)+len(s.free)))
	err = errors.Join(err, s.world.heal(ctx))
	if err == nil && s.last != nil {
		err = s.last(ctx, s.world)
	}
	stopKeeping()
	return errors.Join(err, keeper.Wait())
}

// faults begins a plan's events, each at its time, but not before work has increased since the last
// event but one (nil: without that condition). So two or more may overlap, and the cluster of a
// slow machine, which needs minutes to recover, is not down the whole time. A delay postpones all
// later events. It returns the number of events.
func (s *scenario) faults(ctx context.Context, plan []event, work func() int64, begin func(event)) (begun int) {
	if work == nil {
		work = func() int64 { return int64(begun) }
	}
	began := time.Now()
	var late time.Duration
	var done []int64 // work at the beginning of each event
	for i, e := range plan {
		wait(ctx, e.at+late-time.Since(began))
		for i >= 2 && work() == done[i-2] && ctx.Err() == nil {
			wait(ctx, time.Second)
			late = max(late, time.Since(began)-e.at)
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

func (s *scenario) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.everySecond()
		}
	}
}

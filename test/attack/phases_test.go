package attack

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// phasePairs is how many times the honest host delivers alone and then attacked. The
	// rate of a shared machine changes within seconds, so neighbours are compared.
	phasePairs = 4
	// settle is left out after the attack ended or began.
	settle = 200 * time.Millisecond
	// sampling is how often the honest agent is asked how far it is.
	sampling = 20 * time.Millisecond
)

// phases are the rates of the honest host, in lines a second, in turn.
type phases struct {
	alone, attacked []float64
	// cores are how many processors attacker and collector used while attacked.
	attackerCores, collectorCores float64
}

// measure ends the attack and begins it again in turn while the honest agent delivers its log
// of so many lines, for as long as the log lasts. The first part of the log is for caches to
// become warm. An attacker that was only stopped would leave full socket buffers, which the
// collector goes on reading.
func measure(t *testing.T, attacker *process, begin func() *process, collector *process, delivered func() int64, lines int64) (p phases) {
	t.Helper()
	part := lines / (4*phasePairs + 2) // as much again is delivered while an attack begins
	n, _ := reach(t, collector, delivered, part)
	var took, attackerUsed, collectorUsed time.Duration
	var rate float64
	for pair := 0; pair < phasePairs && lines-n > 5*part; pair++ {
		attacker.kill(t)
		rate, _ = rateOf(t, collector, delivered, part)
		p.alone = append(p.alone, rate)
		attacker = begin()
		began, c := time.Now(), collector.cpu(t)
		rate, n = rateOf(t, collector, delivered, part)
		p.attacked = append(p.attacked, rate)
		took += time.Since(began)
		attackerUsed += attacker.cpu(t)
		collectorUsed += collector.cpu(t) - c
	}
	if len(p.alone) < 2 {
		t.Fatal("the log is too short for this machine: give more -lines")
	}
	p.attackerCores, p.collectorCores = attackerUsed.Seconds()/took.Seconds(), collectorUsed.Seconds()/took.Seconds()
	return p
}

// reach waits for a change of the count of lines after which it is at least so many, and
// returns it and when it was.
func reach(t *testing.T, collector *process, delivered func() int64, lines int64) (n int64, at time.Time) {
	t.Helper()
	before := delivered()
	for began := time.Now(); ; wait(t.Context(), sampling) {
		if n = delivered(); n >= lines && n != before {
			return n, time.Now()
		}
		if time.Since(began) > patience {
			t.Fatalf("%d of %d lines within %v; %s", n, lines, patience, collector.errs.String())
		}
		before = max(before, n)
	}
}

// rateOf is the rate at which the next lines are delivered, and how many are then. They are
// counted by batches, so it is measured from one change of the count to another.
func rateOf(t *testing.T, collector *process, delivered func() int64, lines int64) (perSecond float64, n int64) {
	t.Helper()
	wait(t.Context(), settle)
	first, began := reach(t, collector, delivered, 0)
	n, ended := reach(t, collector, delivered, first+lines)
	return float64(n-first) / ended.Sub(began).Seconds(), n
}

func median(rates []float64) float64 {
	sorted := slices.Sorted(slices.Values(rates))
	n := len(sorted)
	return (sorted[n/2] + sorted[(n-1)/2]) / 2
}

// share is how much of its rate alone the honest host keeps.
func (p *phases) share() float64 { return median(p.attacked) / median(p.alone) }

// spread is the least and the greatest share of a pair of neighbours.
func (p *phases) spread() (least, most float64) {
	var shares []float64
	for i, alone := range p.alone {
		shares = append(shares, p.attacked[i]/alone)
	}
	return slices.Min(shares), slices.Max(shares)
}

// cpu is the processor time that the process used, also in the kernel.
func (p *process) cpu(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may have blanks
	fields := strings.Fields(rest)
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

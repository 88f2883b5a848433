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
	// phasePairs is the number of pairs of phases, without and with attack. The rate of a shared
	// machine changes within seconds, so neighbouring phases are compared.
	phasePairs = 4
	// settle is the time after a start or end of the attack that is not measured.
	settle = 200 * time.Millisecond
	// sampling is the interval at which the progress of the honest agent is read.
	sampling = 20 * time.Millisecond
)

// phases are the rates of the honest host in each phase, in lines a second.
type phases struct {
	alone, attacked []float64
	// cores are the processors that attacker and collector used during attacks.
	attackerCores, collectorCores float64
}

// measure stops and starts the attack alternately while the honest agent delivers its log of so
// many lines. The first part of the log is not measured, to warm up caches. The attacker is killed,
// not paused, because the collector would go on reading a paused attacker's socket buffers.
func measure(t *testing.T, attacker *process, begin func() *process, collector *process, delivered func() int64, lines int64) (p phases) {
	t.Helper()
	part := lines / (4*phasePairs + 2) // the same number is delivered while an attack begins
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

// reach waits until the count of lines changes and is at least lines, and returns the count and the
// time.
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

// rateOf returns the rate at which the next lines are delivered, and the count after them. The
// count changes with each batch, so the rate is measured from one change to another.
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

// share returns the part of its rate that the honest host keeps during attacks.
func (p *phases) share() float64 { return median(p.attacked) / median(p.alone) }

// spread returns the smallest and the largest share of a pair of phases.
func (p *phases) spread() (least, most float64) {
	var shares []float64
	for i, alone := range p.alone {
		shares = append(shares, p.attacked[i]/alone)
	}
	return slices.Min(shares), slices.Max(shares)
}

// cpu returns the CPU time of the process, user and system.
func (p *process) cpu(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may contain spaces
	fields := strings.Fields(rest)
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime, in ticks of 10 ms
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

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
	phasePairs = 5
	// settle is left out after the attacker is stopped or goes on.
	settle = 100 * time.Millisecond
	// sampling is how often the honest agent is asked how far it is.
	sampling = 20 * time.Millisecond
)

// phases are the rates of the honest host, in lines a second, in turn.
type phases struct {
	alone, attacked []float64
	// cores are how many processors attacker and collector used while attacked.
	attackerCores, collectorCores float64
}

// measure stops the attacker and has it go on in turn while the honest agent delivers its
// log of so many lines. The first part of the log is for caches to become warm.
func measure(t *testing.T, attacker, collector *process, delivered func() int64, lines int64) (p phases) {
	t.Helper()
	parts := int64(2*phasePairs + 1)
	// Less than all lines: the end of a log is sent when it is old enough.
	until := func(part int64) int64 { return lines * 49 / 50 * part / parts }
	reach(t, collector, delivered, until(1))
	var took time.Duration
	var attackerUsed, collectorUsed time.Duration
	for part := int64(2); part < parts; part += 2 {
		attacker.pause(t)
		p.alone = append(p.alone, rateUntil(t, collector, delivered, until(part)))
		began, a, c := time.Now(), attacker.cpu(t), collector.cpu(t)
		attacker.goOn(t)
		p.attacked = append(p.attacked, rateUntil(t, collector, delivered, until(part+1)))
		took += time.Since(began)
		attackerUsed += attacker.cpu(t) - a
		collectorUsed += collector.cpu(t) - c
	}
	p.attackerCores, p.collectorCores = attackerUsed.Seconds()/took.Seconds(), collectorUsed.Seconds()/took.Seconds()
	return p
}

// reach waits until so many lines are delivered and returns how many are and since when.
func reach(t *testing.T, collector *process, delivered func() int64, lines int64) (n int64, at time.Time) {
	t.Helper()
	for began := time.Now(); ; wait(t.Context(), sampling) {
		last := n
		n = delivered()
		if n != last {
			at = time.Now()
		}
		if n >= lines && last > 0 && n != last {
			return n, at
		}
		if time.Since(began) > patience {
			t.Fatalf("%d of %d lines within %v; %s", n, lines, patience, collector.errs.String())
		}
	}
}

// rateUntil is the rate until so many lines are delivered. Lines are counted by batches, so
// it is measured from one change of the count to another.
func rateUntil(t *testing.T, collector *process, delivered func() int64, lines int64) float64 {
	t.Helper()
	wait(t.Context(), settle)
	first, began := reach(t, collector, delivered, 0)
	last, ended := reach(t, collector, delivered, max(lines, first+1))
	return float64(last-first) / ended.Sub(began).Seconds()
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

package soak

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// differs matches the end of a stream's line in the output of sluice audit if there are
// differences.
var differs = regexp.MustCompile(`(?m) DIFFERS: (.*)$`)

// heldTwice is a difference that failover can cause: a collector received a range and failed before
// its reply, and the other collector received it, too.
const heldTwice = "archive holds twice "

// remembered checks that the positions in the agents' checkpoints are what the hosts wrote.
func (r *agentsRun) remembered(context.Context) error {
	for _, h := range r.hosts {
		got, err := h.look()
		if err != nil {
			return err
		}
		if _, want, _ := h.fleet.Written(); got != want {
			return fmt.Errorf("%s: %d bytes of %d", h.name, got, want)
		}
	}
	return nil
}

// repairDoubles runs sluice audit, whose differences may only be ranges that the archive has twice,
// and repairs them.
func (r *agentsRun) repairDoubles(ctx context.Context) error {
	p := program{binary: r.binary, data: filepath.Join(r.dir, "repair")}
	out, err := p.command(ctx, slices.Concat([]string{"audit"}, r.stores)...).CombinedOutput()
	var wrong []error
	for _, m := range differs.FindAllStringSubmatch(string(out), -1) {
		for kind := range strings.SplitSeq(m[1], ", ") {
			n, twice := strings.CutPrefix(kind, heldTwice)
			count, bad := strconv.Atoi(n)
			if !twice || bad != nil {
				wrong = append(wrong, errors.New(m[0]))
			}
			r.doubled += count
		}
	}
	if len(wrong) > 0 || err != nil && r.doubled == 0 {
		return fmt.Errorf("audit: %w: %s", errors.Join(append(wrong, err)...), out)
	}
	r.journal.say("check", fmt.Sprintf("%d ranges were archived twice", r.doubled))
	if r.doubled == 0 {
		return nil
	}
	if out, err := p.command(ctx, slices.Concat([]string{"audit", "--repair"}, r.stores)...).CombinedOutput(); err != nil {
		return fmt.Errorf("repair: %w: %s", err, out)
	}
	return nil
}

// rows checks that the table has every line of each host once.
func (r *agentsRun) rows(ctx context.Context) error {
	want, err := r.archived.want()
	if err != nil {
		return err
	}
	got := tallies{}
	for _, h := range r.hosts {
		p := program{binary: r.binary, data: filepath.Join(r.dir, "scan")}
		cmd := p.command(ctx, "scan", "--host", h.name, "--output", "raw", "--table", r.stores[1])
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return err
		}
		if err := errors.Join(got.read(out, h.name, ""), cmd.Wait()); err != nil {
			return fmt.Errorf("scan %s: %w", h.name, err)
		}
	}
	return want.equal(got)
}

// audit runs sluice audit for each host's logs, with its agent's checkpoint.
func (r *agentsRun) audit(ctx context.Context) error {
	for _, h := range r.hosts {
		out, err := h.agent.command(ctx, slices.Concat([]string{"audit", "--host", h.name}, r.stores)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", h.name, err, out)
		}
	}
	return nil
}

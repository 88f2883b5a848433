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

// differs is how sluice audit ends the line of a stream where something does.
var differs = regexp.MustCompile(`(?m) DIFFERS: (.*)$`)

// heldTwice is a difference that a failover may make: one collector took a range and
// was away before it said so, and the other one took it, too.
const heldTwice = "archive holds twice "

// remembered: what the agents' checkpoints say is what the hosts wrote.
func (r *agentsRun) remembered(context.Context) error {
	for _, h := range r.hosts {
		got, err := h.look()
		if err != nil {
			return err
		}
		if _, want, _ := h.fleet.Written(); got != want {
			return fmt.Errorf("%s: %d bytes of %d", h.Name, got, want)
		}
	}
	return nil
}

// mendDoubles lets the program find what differs, which may be ranges that the
// archive has twice and nothing else, and mend that.
func (r *agentsRun) mendDoubles(ctx context.Context) error {
	p := Program{Binary: r.Binary, Data: filepath.Join(r.Dir, "repair")}
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
	r.Journal.Say("check", fmt.Sprintf("%d ranges were archived twice", r.doubled))
	if r.doubled == 0 {
		return nil
	}
	if out, err := p.command(ctx, slices.Concat([]string{"audit", "--repair"}, r.stores)...).CombinedOutput(); err != nil {
		return fmt.Errorf("repair: %w: %s", err, out)
	}
	return nil
}

// rows: the table gives every host's lines, each once.
func (r *agentsRun) rows(ctx context.Context) error {
	want, err := r.archived.want()
	if err != nil {
		return err
	}
	got := Tallies{}
	for _, h := range r.hosts {
		p := Program{Binary: r.Binary, Data: filepath.Join(r.Dir, "scan")}
		cmd := p.command(ctx, "scan", "--host", h.Name, "--output", "raw", "--table", r.stores[1])
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return err
		}
		if err := errors.Join(got.read(out, h.Name, ""), cmd.Wait()); err != nil {
			return fmt.Errorf("scan %s: %w", h.Name, err)
		}
	}
	return want.equal(got)
}

// audit lets the program itself compare each host's logs, as its agent knows them, with
// archive and table.
func (r *agentsRun) audit(ctx context.Context) error {
	for _, h := range r.hosts {
		out, err := h.Agent.command(ctx, slices.Concat([]string{"audit", "--host", h.Name}, r.stores)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", h.Name, err, out)
		}
	}
	return nil
}

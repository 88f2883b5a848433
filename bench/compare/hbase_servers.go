package compare

import (
	"context"
	"time"

	"sluice/bench/measure"
	"sluice/bench/peers"
)

// serverCPU is the CPU time of a cluster's processes.
type serverCPU struct{ regionServers, dataNodes time.Duration }

// serverCPU returns the CPU time so far.
func (m *hbaseMeasurement) serverCPU() (c serverCPU, err error) {
	if c.regionServers, err = peers.CPUOf(m.servers); err != nil {
		return c, err
	}
	c.dataNodes, err = peers.CPUOf(m.dataNodes)
	return c, err
}

func (m *hbaseMeasurement) serverCPUSince(before serverCPU) (serverCPU, error) {
	after, err := m.serverCPU()
	return serverCPU{after.regionServers - before.regionServers, after.dataNodes - before.dataNodes}, err
}

// afterwards measures a table after the last pass of a client: its size, and a major compaction.
func (m *hbaseMeasurement) afterwards(ctx context.Context, t *hbaseTurn, table string) (err error) {
	if t.diskBytes, err = m.diskBytes(ctx, table); err != nil || !m.cfg.Compact {
		return err
	}
	m.cfg.Say(m.layout.Name + ": " + t.client.kind.name + ", major compaction")
	before, err := m.serverCPU()
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := m.helper.ask("compact\t" + table); err != nil {
		return err
	}
	c := HBaseCompaction{Seconds: time.Since(began).Seconds()}
	used, err := m.serverCPUSince(before)
	if err != nil {
		return err
	}
	c.ServersCPU, c.DataNodesCPU = measure.PerMillion(used.regionServers, m.rows), measure.PerMillion(used.dataNodes, m.rows)
	t.compaction = &c
	return nil
}

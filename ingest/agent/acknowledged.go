package agent

import "sluice/ingest/protocol"

// acknowledge removes from the checkpoint the losses that an operator acknowledged at a collector.
// h is the heartbeat that d is the reply to: a number beyond what it reported is not of this
// checkpoint, and is ignored. A collector repeats the number, so it does not matter if this process
// is killed before the checkpoint is saved.
func (r *reporter) acknowledge(h *protocol.Heartbeat, d *protocol.Directive) {
	if d.AcknowledgedLoss <= 0 || d.AcknowledgedLoss > h.Counters[protocol.LastLoss] {
		return
	}
	losses := r.cfg.Checkpoint.Losses.Acknowledge(d.AcknowledgedLoss)
	if len(losses) == 0 {
		return
	}
	if tailer := r.reader.current(); tailer != nil {
		tailer.Counters().Acknowledge(losses)
	}
	r.saver.changed()
	bytes := int64(0)
	for _, l := range losses {
		bytes += l.Bytes
	}
	r.cfg.Log.Info("losses acknowledged at the collector", "count", len(losses), "bytes", bytes)
}

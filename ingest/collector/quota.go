package collector

import (
	"fmt"
	"time"
)

// errFull is an ErrBusy that is resolved when the spool shrinks.
var errFull = fmt.Errorf("%w: no space in the spool", ErrBusy)

// maxSpoolBatches is the limit of batches in the spool. Each takes about 300 bytes of memory until
// it is stored, even if it is short.
const maxSpoolBatches = 2_000_000

// quota counts the bytes and spooled batches in the spool, in total and by host, and compares them
// with the limits. spool.mu must be held during calls of its methods.
type quota struct {
	cfg *Config
	// bytes and spooled batches are the totals of all files, hosts the shares of each host.
	bytes, batches int64
	hosts          map[string]*share
}

// share is the part of the spool that one host uses.
type share struct {
	bytes, batches int64
	overSince      time.Time // since when its batches have been waiting for room; zero: they are not
}

// grow adds bytes and spooled batches, which may be negative, to the share of a host.
func (q *quota) grow(name string, bytes, batches int64) {
	q.bytes += bytes
	q.batches += batches
	host := q.hosts[name]
	if host == nil {
		host = new(share)
		q.hosts[name] = host
	}
	host.bytes += bytes
	host.batches += batches
	if host.batches <= 0 && host.bytes <= 0 {
		delete(q.hosts, name)
	}
}

// checkFull returns errFull, wrapped, if the spool has reached its limit.
func (q *quota) checkFull() error {
	limit := q.cfg.SpoolMaxBytes
	switch {
	case limit > 0 && q.bytes >= limit:
		return fmt.Errorf("%w: the spool %s is full: %d bytes, --spool-max is %d", errFull, q.cfg.SpoolDir, q.bytes, limit)
	case q.cfg.HostShare > 0 && q.batches >= maxSpoolBatches:
		return fmt.Errorf("%w: %d batches are in the spool %s, the limit", errFull, q.batches, q.cfg.SpoolDir)
	}
	return nil
}

// checkShare returns errFull, wrapped, if the host has used its share, which is HostShare times the
// room that is left for all.
func (q *quota) checkShare(host string) error {
	x := q.hosts[host]
	if x == nil || q.cfg.HostShare == 0 {
		return nil
	}
	err := q.over(host, x)
	switch {
	case err == nil:
		x.overSince = time.Time{}
	case x.overSince.IsZero():
		x.overSince = q.cfg.Now()
		q.cfg.Log.Warn("host has used its share of the spool, its batches wait", "host", host, "bytes", x.bytes, "batches", x.batches, "spool_bytes", q.bytes)
	}
	return err
}

// over returns an error if the host has used its share, without recording that.
func (q *quota) over(host string, x *share) error {
	times := int64(q.cfg.HostShare)
	if limit := q.cfg.SpoolMaxBytes; limit > 0 && x.bytes >= times*(limit-q.bytes) {
		return fmt.Errorf("%w for host %s: it uses %d bytes, and %d are free for all hosts, --spool-max is %d, --host-share %d", errFull, host, x.bytes, limit-q.bytes, limit, times)
	}
	if left := maxSpoolBatches - q.batches; x.batches >= times*left {
		return fmt.Errorf("%w for host %s: it has %d batches there, and %d more are allowed for all hosts", errFull, host, x.batches, left)
	}
	return nil
}

// report returns the share of each host.
func (q *quota) report(now time.Time) map[string]Share {
	shares := map[string]Share{}
	for host, x := range q.hosts {
		share := Share{Bytes: x.bytes, Batches: x.batches}
		if !x.overSince.IsZero() && q.over(host, x) != nil {
			share.OverSeconds = max(now.Sub(x.overSince).Seconds(), 0.001)
		}
		shares[host] = share
	}
	return shares
}

package main

import (
	"os"
	"strings"
	"syscall"
	"time"

	"sluice/monitor"
)

// atOnce returns the faults that are injected first, all at the same time.
func (d *drill) atOnce() (faults []*fault) {
	faults = append(faults, d.absent()...)
	faults = append(faults, d.wrongLines()...)
	faults = append(faults, d.unreadLogs()...)
	faults = append(faults, d.certificates()...)
	faults = append(faults, d.sinks()...)
	return append(faults, d.crashing())
}

// absent returns faults of hosts that do not send.
func (d *drill) absent() []*fault {
	return []*fault{
		{what: "expected, never connected", at: "c1", host: "web11", kind: monitor.NeverHeard, cause: "expected since", inject: func(*fault) {}, repair: func() { d.add("web11") }},
		{what: "agent killed", at: "c1", host: "web01", kind: monitor.Silent, cause: "silent for", inject: func(*fault) { d.kill(d.agents["web01"]) }, repair: func() { d.start("web01") }},
		{what: "failed over to c3 and died there, while c2 is down", at: "c3", host: "web16", kind: monitor.Silent, cause: "silent for", inject: func(f *fault) {
			d.kill(d.collectors["c2"].follower)
			delete(d.collectors, "c2")
			// An agent connects for a moment to tell c3 that it is at c2.
			seen := 0
			connected := func(x monitor.Host) bool {
				if seen++; x.Connections != 1 {
					seen = 0
				}
				return seen > 10
			}
			d.when("c3", "web16", connected, func() {
				d.kill(d.agents["web16"])
				f.injected = time.Now()
			})
		}},
		{what: "agent stopped reading: --cpu below its own needs", at: "c3", host: "web15", kind: monitor.Unreceived, cause: "not received", also: []monitor.ProblemKind{monitor.Paused}, inject: func(*fault) {
			d.extra["web15"] = []string{"--cpu", starved, "--collector", d.collectors["c3"].listen}
			d.prepare("web15")
			d.write("web15", strings.Repeat(lineAt(time.Now()), manyLines))
			d.start("web15")
		}, repair: func() { d.restart("web15", "--collector", d.collectors["c3"].listen) }},
	}
}

// starved is a limit of the CPU, in percent, with which an agent reads nothing for hours.
const starved = "0.0001"

// manyLines is more lines than an agent reads at its start, before it knows what they cost.
const manyLines = 5000

// wrongLines returns faults of the lines, their times, and the agent's version.
func (d *drill) wrongLines() []*fault {
	bad := strings.Repeat("shop.example.com 10.0.0.1 GET /\n", 30)
	return []*fault{
		{what: "LogFormat changed", at: "c1", host: "web02", kind: monitor.Unparsable, cause: "30 in a row", inject: func(*fault) { d.write("web02", bad) }, repair: func() { d.write("web02", lineAt(time.Now())) }},
		{what: "lines of a time zone's hours ahead", at: "c1", host: "web03", kind: monitor.FutureLines, cause: "in the future", inject: func(*fault) { d.write("web03", lineAt(time.Now().Add(5*time.Hour))) }, repair: func() { d.write("web03", lineAt(time.Now())) }},
		{what: "clock 5 hours ahead", at: "c1", host: "web12", kind: monitor.ClockOff, cause: "fast", also: []monitor.ProblemKind{monitor.FutureLines}, inject: func(*fault) { d.clock(5 * time.Hour) }, repair: func() { d.clock(0) }},
		{what: "agent of an older version", at: "c1", host: "web10", kind: monitor.OtherVersion, cause: "version v1.02.0, this is v1.04.0", inject: func(*fault) { d.older["web10"] = true; d.restart("web10") }, repair: func() { d.older["web10"] = false; d.restart("web10") }},
	}
}

// unreadLogs returns faults of logs that are not read, or no longer there.
func (d *drill) unreadLogs() []*fault {
	conf := d.path("web13", "httpd.conf")
	configure := func(logs string) {
		d.must(os.WriteFile(conf, []byte("LogFormat \"%h %l %u %t \\\"%r\\\" %>s %b\" common\n"+logs), 0o600))
	}
	return []*fault{
		{what: "source that matches no file", at: "c1", host: "web13", kind: monitor.UnreadLog, cause: "missing.log: no file matches", inject: func(*fault) {
			configure("CustomLog " + d.path("web13", "access.log") + " common\n")
			d.only["web13"] = "access.log"
			d.restart("web13", "--apache-conf", conf, "--source", "{path: "+d.path("web13", "missing.log")+"}")
		}, repair: func() { d.writeTo("web13", "missing.log", lineAt(time.Now())) }},
		{what: "log of a new virtual host, beside logs that are read", at: "c1", host: "web13", kind: monitor.UnreadLog, cause: "shop.log grows beside", inject: func(*fault) { d.growing = append(d.growing, "web13/shop.log") },
			repair: func() { d.growing = nil; d.must(os.Remove(d.path("web13", "shop.log"))) }},
		{what: "CustomLog that no source reads", at: "c1", host: "web13", kind: monitor.UnreadLog, cause: "elsewhere/access.log", inject: func(*fault) {
			configure("CustomLog " + d.path("web13", "access.log") + " common\nCustomLog " + d.path("elsewhere", "access.log") + " common\n")
		}, repair: func() { configure("CustomLog " + d.path("web13", "access.log") + " common\n") }},
		{what: "log that cannot be read", at: "c1", host: "web08", kind: monitor.Unreadable, cause: "loop.log", inject: func(*fault) { d.must(os.Symlink("loop.log", d.path("web08", "loop.log"))) },
			repair: func() { d.must(os.Remove(d.path("web08", "loop.log"))) }},
		{what: "log rotated and deleted while the agent was dead", at: "c1", host: "web04", kind: monitor.Lost, cause: "deleted before they were read", also: []monitor.ProblemKind{monitor.Unreadable}, inject: func(*fault) {
			d.kill(d.agents["web04"])
			d.write("web04", lineAt(time.Now()))
			d.must(os.Remove(d.path("web04", "access.log")))
			d.write("web04", strings.Replace(lineAt(time.Now()), "/ HTTP", "/new HTTP", 1))
			d.start("web04")
		}},
		{what: "log truncated before it was read", at: "c1", host: "web14", kind: monitor.Lost, cause: "deleted before they were read", inject: func(f *fault) {
			d.restart("web14", "--cpu", starved)
			lines := strings.Repeat(lineAt(time.Now()), manyLines)
			d.write("web14", lines)
			d.when("c1", "web14", func(x monitor.Host) bool { return x.WrittenBytes > int64(len(lines)) }, func() {
				d.must(os.Truncate(d.path("web14", "access.log"), 0))
				f.injected = time.Now()
			})
		}},
	}
}

// certificates returns faults of certificates.
func (d *drill) certificates() []*fault {
	renew := func(host string, left time.Duration) { d.certify(host, left); d.restart(host) }
	return []*fault{
		{what: "host's certificate expires in 2 days", at: "c1", host: "web06", kind: monitor.Expired, cause: "its certificate expires", inject: func(*fault) { renew("web06", 48*time.Hour) }, repair: func() { renew("web06", aYear) }},
		{what: "host's certificate expired", at: "c1", host: "web07", kind: monitor.Rejected, cause: "expired", also: []monitor.ProblemKind{monitor.Silent}, inject: func(*fault) { renew("web07", -time.Hour) }, repair: func() { d.certify("web07", aYear) }},
		{what: "collector's certificate expires in 2 days", at: "c3", kind: monitor.Expired, cause: "own.pem expires", inject: func(*fault) { d.certify("c3", 48*time.Hour) }, repair: func() { d.certify("c3", aYear) }},
		{what: "the authority's certificate expires in 2 days", at: "c3", kind: monitor.Expired, cause: "ca.pem expires", inject: func(*fault) { d.authority("c3", 48*time.Hour) }, repair: func() { d.authority("c3", 3*aYear) }},
	}
}

// sinks returns faults of table, archive and disk.
func (d *drill) sinks() []*fault {
	archive := d.data + "/archive"
	faults := []*fault{
		{what: "archive that cannot be written", at: "c1", kind: monitor.SinkRetries, cause: "archive", inject: func(*fault) {
			d.must(os.Rename(archive, archive+".away"))
			d.must(os.WriteFile(archive, nil, 0o600))
			d.write("web09", lineAt(time.Now()))
		}, repair: func() {
			d.must(os.Remove(archive))
			d.must(os.Rename(archive+".away", archive))
		}},
		{what: "HBase away at the collector's start", at: "c4", kind: monitor.SinkRetries, cause: "waiting for " + d.hbase.table + " to answer", inject: func(*fault) {
			d.collector("c4", d.path("c4", "data"), freeAddress(d.T), "--table", d.hbase.table)
			d.extra["web17"] = []string{"--collector", d.collectors["c4"].listen}
			d.add("web17")
			d.when("c4", "web17", func(x monitor.Host) bool { return x.ReceivedBytes > 0 }, func() {})
		}, repair: d.hbase.start},
	}
	if d.fillDisk != nil {
		faults = append(faults, &fault{what: "disk nearly full", at: "c1", kind: monitor.DiskShort, cause: "the spool may still take", inject: func(*fault) { d.nearlyFillDisk() }, repair: d.freeDisk})
	}
	return faults
}

// crashing is the fault of an agent that crashes five times.
func (d *drill) crashing() *fault {
	crashes := 0
	var crash func()
	crash = func() {
		d.restart("web05")
		if crashes++; crashes < 5 {
			again := crashes
			d.when("c1", "web05", func(x monitor.Host) bool { return x.Restarts >= again }, crash)
		}
	}
	return &fault{what: "agent crashes and restarts", at: "c1", host: "web05", kind: monitor.Restarts, cause: "its agent restarted", also: []monitor.ProblemKind{monitor.Silent}, inject: func(*fault) { crash() }}
}

// afterwards returns faults that need the others, or would hide them.
func (d *drill) afterwards() []*fault {
	var died time.Time
	for _, f := range d.faults {
		if f.host == "web16" {
			died = f.injected
		}
	}
	var faults []*fault
	if d.fillDisk != nil {
		faults = append(faults, &fault{what: "disk full", at: "c1", kind: monitor.SinkRetries, cause: syscall.ENOSPC.Error(), also: []monitor.ProblemKind{monitor.DiskShort, monitor.StateUnsaved}, inject: func(*fault) {
			d.fillDisk()
			d.write("web09", strings.Repeat(lineAt(time.Now()), 1000))
		}, repair: d.freeDisk})
	}
	if d.hbase.stop != nil {
		faults = append(faults, &fault{what: "HBase gone while lines arrive", at: "c4", kind: monitor.SinkRetries, cause: "the table has failed", inject: func(*fault) {
			d.hbase.stop()
			d.write("web17", lineAt(time.Now()))
		}, repair: d.hbase.start})
	}
	return append(faults,
		&fault{what: "collector restarted while a host is dead: silent since its last word", at: "c3", host: "web16", kind: monitor.Silent, cause: "silent for", also: []monitor.ProblemKind{monitor.Unarchived}, inject: func(*fault) {
			d.kill(d.collectors["c3"].follower)
			d.startCollector("c3")
			d.when("c3", "web16", func(x monitor.Host) bool { return x.SeenSeconds >= d.asked.Sub(died).Seconds()-1 }, func() {})
		}, repair: func() { d.start("web16") }},
		&fault{what: "lines truncated before an agent's restart", at: "c1", host: "web14", kind: monitor.Lost, cause: "deleted before they were read", inject: func(*fault) {
			if err := d.agents["web14"].end(d.T); err != nil {
				d.Error(err)
			}
			d.extra["web14"] = nil
			d.start("web14")
			d.when("c1", "web14", func(x monitor.Host) bool { return x.Connections == 1 && x.Restarts >= 2 && x.LostFiles > 0 }, func() {})
		}, repair: func() {
			if out, err := command(d.T, "--data", d.data, "ack", "web14", "--lost").CombinedOutput(); err != nil {
				d.Errorf("%v\n%s", err, out)
			}
		}, remedy: "after `sluice ack`"},
	)
}

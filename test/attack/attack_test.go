package attack

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/bench/sample"
)

var (
	honestLines = flag.Int("lines", 0, "how many lines the honest host delivers in each attack; 0: 5,000, without bars for its rate and memory")
	attacked    = flag.String("binary", "", "the sluice that is attacked; empty: that of this tree")
	only        = flag.Int("row", 0, "the row to attack by, 0: each")
)

const (
	shortLines = 5_000
	// The limits of make attack.
	minShare     = 0.5
	maxPeakBytes = 256 << 20
	maxNamed     = 30 * time.Second
	// patience is long, because the machine may be busy with other tests.
	patience = 5 * time.Minute
)

// result is the measurement of one attack.
type result struct {
	phases
	peakBytes int64
	named     time.Duration // time until /health named the attacker; 0: it did not
	why       string
}

// TestAnHonestHostIsServedDuringAttacks checks that each line of the honest host is stored once
// during every attack, and that /health names the attacker if it can be known. With -lines the
// honest host must also keep half of its rate, and the collector's memory must stay below a limit.
func TestAnHonestHostIsServedDuringAttacks(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes for a minute")
	}
	lines := *honestLines
	if lines == 0 {
		lines = shortLines
	}
	w := &world{binary: build(t), ca: newAuthority(t), log: filepath.Join(t.TempDir(), "access.log")}
	var text bytes.Buffer
	if err := sample.Write(&text, 1, lines); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.log, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if *honestLines > 0 {
		fmt.Printf("%-4s %-44s %10s %10s %6s %12s %10s %10s %8s %8s\n", "row", "attack", "alone/s", "attacked/s", "share", "of pairs", "collector", "attacker", "peak", "named")
	}
	for i, a := range attacks() {
		if *only != 0 && a.row != *only || a.measured && *honestLines == 0 {
			continue
		}
		t.Run(fmt.Sprintf("row %d, %s", a.row, a.name), func(t *testing.T) {
			judge(t, a, w.deliver(t, i, a))
		})
	}
}

// judge compares a result with the limits.
func judge(t *testing.T, a attack, r result) {
	t.Helper()
	if a.named && r.named == 0 && (!a.inTime || *honestLines > 0) {
		t.Errorf("/health does not name %s", evil)
	}
	t.Logf("peak %d MiB, named after %v: %s", r.peakBytes>>20, r.named, r.why)
	if *honestLines == 0 {
		return
	}
	named := "-"
	if r.named > 0 {
		named = r.named.Round(100 * time.Millisecond).String()
	}
	share := r.share()
	least, most := r.spread()
	t.Logf("lines/s alone %.0f, attacked %.0f", r.alone, r.attacked)
	fmt.Printf("%-4d %-44s %10.0f %10.0f %5.0f%% %5.0f-%.0f%% %10.2f %10.2f %4d MiB %8s\n", a.row, a.name, median(r.alone), median(r.attacked),
		100*share, 100*least, 100*most, r.collectorCores, r.attackerCores, r.peakBytes>>20, named)
	if share < minShare {
		t.Errorf("the honest host keeps %.0f%% of its rate", 100*share)
	}
	if r.peakBytes > maxPeakBytes {
		t.Errorf("the collector took %d MiB", r.peakBytes>>20)
	}
	if a.named && r.named > maxNamed {
		t.Errorf("%s is named after %v", evil, r.named)
	}
}

// world is shared by all attacks.
type world struct {
	binary, log string
	ca          *authority
}

// deliver starts a collector, attacks it, and meanwhile has an honest host deliver its log.
func (w *world) deliver(t *testing.T, index int, a attack) (r result) {
	dir := t.TempDir()
	p := plan{Attack: index, Address: freeAddress(t), Status: freeAddress(t), HonestLog: w.log}
	data, agentStatus := filepath.Join(dir, "collector"), freeAddress(t)
	args := []string{w.binary, "--quiet", "--data", data, "collector", "--listen", p.Address, "--status-listen", p.Status, "--spool-max", "1000", "--drain", "2m"}
	honest := []string{w.binary, "--quiet", "--data", filepath.Join(dir, "agent"), "agent", "--collector", p.Address, "--host", "web01", "--status-listen", agentStatus,
		"--format", "combined", "--cpu", "0", "--no-nice", "--latency", "100ms", w.log}
	if !a.plain {
		args, honest = append(args, w.ca.flags(t, "c1")...), append(honest, w.ca.flags(t, "web01")...)
		f := w.ca.flags(t, evil)
		p.Cert, p.Key = f[1], f[3]
	}
	collector := start(t, a.openFiles, args...)
	await(t, collector, func() bool { return healthOf(t.Context(), p.Status) != nil })
	attacker := startAttacker(t, p)
	begin := func() *process { attacker = startAttacker(t, p); return attacker }
	began := time.Now()
	await(t, collector, func() bool { // the attack has started
		r.look(t, p.Status, began)
		return !a.named || a.inTime || r.named > 0 || *honestLines > 0 && time.Since(began) > maxNamed
	})
	if a.openFiles > 0 {
		wait(t.Context(), 2*time.Second) // all connections of the attacker are open
	}
	agent := start(t, 0, honest...)
	size, lines := fileBytes(t, w.log), countLines(t, w.log)
	if *honestLines > 0 {
		r.phases = measure(t, attacker, begin, collector, func() int64 {
			if h := healthOf(t.Context(), agentStatus); h != nil {
				return h.Metrics["web01"].Lines
			}
			return 0
		}, int64(lines))
	}
	await(t, collector, func() bool {
		r.look(t, p.Status, began)
		h := healthOf(t.Context(), p.Status)
		// The next heartbeat has the number of received lines.
		return h != nil && h.Metrics["web01"].Lines >= int64(lines) && h.Metrics["web01"].ReceivedBytes >= size
	})
	await(t, collector, func() bool {
		r.look(t, p.Status, began)
		return !a.inTime || r.named > 0 || *honestLines == 0 || time.Since(began) > 2*maxNamed
	})
	r.peakBytes = collector.peakBytes(t)
	agent.stop(t)
	attacker.kill(t)
	collector.stop(t)
	w.storedOnce(t, data)
	return r
}

// look records whether /health names the attacker.
func (r *result) look(t *testing.T, status string, began time.Time) {
	if r.named > 0 {
		return
	}
	h := healthOf(t.Context(), status)
	if h == nil {
		return
	}
	whys := h.Metrics[evil].Reasons
	for _, warning := range slices.Concat(h.Process.Warnings, h.Metrics["web01"].Warnings) {
		if strings.Contains(warning, " from "+evilNetwork) || strings.Contains(warning, " and "+evilNetwork) {
			whys = append(whys, warning)
		}
	}
	if len(whys) > 0 {
		r.named, r.why = time.Since(began), whys[0]
	}
}

func await(t *testing.T, p *process, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); {
		if time.Since(began) > patience {
			t.Fatalf("not within %v; %s", patience, p.errs.String())
		}
		wait(t.Context(), 50*time.Millisecond)
	}
}

func fileBytes(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func countLines(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte("\n"))
}

// storedOnce compares the honest host's log with archive and table.
func (w *world) storedOnce(t *testing.T, data string) {
	t.Helper()
	text, err := os.ReadFile(w.log)
	if err != nil {
		t.Fatal(err)
	}
	left := map[[32]byte]int{}
	for line := range bytes.Lines(text) {
		left[sha256.Sum256(line)]++
	}
	err = filepath.WalkDir(filepath.Join(data, "archive"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) != "web01" || !strings.HasSuffix(path, ".gz") {
			return err
		}
		packed, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return err
		}
		lines, err := io.ReadAll(r)
		for line := range bytes.Lines(lines) {
			if !bytes.HasPrefix(line, []byte("forged")) { // row 5: without TLS other hosts can add lines
				left[sha256.Sum256(line)]--
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	lost, twice := 0, 0
	for _, n := range left {
		lost += max(n, 0)
		twice += max(-n, 0)
	}
	if lost+twice > 0 {
		t.Errorf("the archive: %d lines are lost, %d too many", lost, twice)
	}
	rows, err := exec.CommandContext(t.Context(), w.binary, "--quiet", "--data", data, "scan", "--host", "web01", "--where", `logbody != "forged"`, "--count").Output()
	if want := bytes.Count(text, []byte("\n")); err != nil || strings.TrimSpace(string(rows)) != fmt.Sprint(want) {
		t.Errorf("the table has %s rows of %d lines: %v", bytes.TrimSpace(rows), want, err)
	}
}

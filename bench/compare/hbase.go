package compare

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"

	"sluice/bench/measure"
	"sluice/bench/peers"
	"sluice/schema"
)

// HBaseConfig are the parameters of MeasureHBase.
type HBaseConfig struct {
	Cluster peers.HBaseCluster
	// Log is a file with lines in Format (a parameter of parse.Lookup, or auto).
	Log, Format string
	Layouts     []string
	Compression string // by HBase's name
	// Clients are names of hbaseClients.
	Clients []string
	Rounds  int
	// Compact measures the first major compaction after the last round of each client.
	Compact bool
	Dir     string // for temporary files
	// CPUProfile is the prefix of the names of CPU profiles of sluice's client, before layout and
	// operation; empty: no profiles.
	CPUProfile string
	// Spawn returns a command that runs HBaseChild.
	Spawn func(ctx context.Context) *exec.Cmd
	Say   func(what string)
}

// hbaseClientKind is a client with the requests that it supports, without the table.
type hbaseClientKind struct {
	name        string
	java        bool
	write, scan string // empty: not supported
}

// hbaseClients are the clients that can be measured.
var hbaseClients = []hbaseClientKind{
	{"sluice", false, "write", "scan"},
	{"sluice-rows", false, "replay", ""},
	{"sluice-bulk", false, "bulk", ""},
	{"java-bulk", true, "write\tbulk", ""},
	{"java-buffered", true, "write\tbuffered", ""},
	{"java-async", true, "write\tasync", ""},
	{"java-one", true, "", "scan\tone"},
	{"java-each", true, "", "scan\teach"},
}

// CheckHBaseClient returns an error if there is no client with that name.
func CheckHBaseClient(name string) error {
	_, err := hbaseClientOf(name)
	return err
}

func hbaseClientOf(name string) (hbaseClientKind, error) {
	i := slices.IndexFunc(hbaseClients, func(k hbaseClientKind) bool { return k.name == name })
	if i < 0 {
		return hbaseClientKind{}, fmt.Errorf("no client is called %q: use sluice, sluice-rows, sluice-bulk, java-bulk, java-buffered, java-async (which write), java-one, java-each (which scan)", name)
	}
	return hbaseClients[i], nil
}

// HBase is the result of MeasureHBase.
type HBase struct {
	Machine measure.Machine `json:"machine"`
	Rows    int64           `json:"rows"`
	Rounds  int             `json:"rounds"`
	Layouts []*HBaseLayout  `json:"layouts"`
}

// HBaseLayout is the result for one layout.
type HBaseLayout struct {
	Name        string        `json:"name"`
	Compression string        `json:"compression"`
	CellsPerRow float64       `json:"cells_per_row"`
	ValueBytes  float64       `json:"value_bytes_per_row"`
	DiskBytes   float64       `json:"disk_bytes_per_row"` // of one replica, after a flush
	Writes      []*HBaseWrite `json:"writes"`
	Scans       []*HBaseScan  `json:"scans"`
}

// HBaseWrite is the result of a writing client: median and minimum of the rounds.
type HBaseWrite struct {
	Client     string       `json:"client"`
	RowsPerSec measure.Cost `json:"rows_per_second"` // by elapsed time, until all rows are durable
	// CPU is the CPU time of all threads, user and system, for a million rows, from rows in memory
	// to durable.
	CPU measure.Cost `json:"cpu_seconds_per_million"`
	// MakeCPU is the time for making rows, which is not part of CPU for sluice: by reading and
	// parsing the log, or of the rows' bytes (sluice-rows); for Java it is the time for making Puts from the rows' bytes, which is a part of CPU.
	MakeCPU measure.Cost `json:"make_cpu_seconds_per_million"`
	// ColdCPU is the CPU time for a million rows, from the start of the process to the end of its
	// first pass.
	ColdCPU    float64      `json:"cold_cpu_seconds_per_million"`
	ServersCPU measure.Cost `json:"servers_cpu_seconds_per_million"` // of the region servers, until the end of a flush
	// DataNodesCPU is that of all data nodes, over the same time.
	DataNodesCPU measure.Cost `json:"data_nodes_cpu_seconds_per_million"`
	DiskBytes    float64      `json:"disk_bytes_per_row"` // of one replica, after the last round
	PeakBytes    int64        `json:"peak_bytes"`
	// Compaction is the first major compaction of the last round's table; nil without
	// HBaseConfig.Compact.
	Compaction *HBaseCompaction `json:"compaction,omitempty"`
	// Allocs is the number of allocations for each row; only for sluice.
	Allocs float64 `json:"allocations_per_row,omitempty"`
}

// HBaseCompaction is the cost of a major compaction for the servers.
type HBaseCompaction struct {
	Seconds      float64 `json:"seconds"`
	ServersCPU   float64 `json:"servers_cpu_seconds_per_million"`
	DataNodesCPU float64 `json:"data_nodes_cpu_seconds_per_million"`
}

// HBaseScan is the result of a client that reads every row and cell.
type HBaseScan struct {
	Client     string       `json:"client"`
	RowsPerSec measure.Cost `json:"rows_per_second"`
	CPU        measure.Cost `json:"cpu_seconds_per_million"`
	ServersCPU measure.Cost `json:"servers_cpu_seconds_per_million"`
	PeakBytes  int64        `json:"peak_bytes"`
	Allocs     float64      `json:"allocations_per_row,omitempty"`
}

// MeasureHBase fills and reads tables with sluice's and Java's clients in turn. Each is a process
// whose first pass is a warm-up. Their resource usage is read from the kernel.
func MeasureHBase(ctx context.Context, cfg HBaseConfig) (*HBase, error) {
	m := &hbaseMeasurement{cfg: &cfg}
	if err := m.prepare(ctx); err != nil {
		return nil, err
	}
	result := &HBase{Machine: measure.ThisMachine(), Rounds: cfg.Rounds}
	for _, name := range cfg.Layouts {
		layout, err := schema.NewLayout(name)
		if err != nil {
			return nil, err
		}
		l, err := m.measure(ctx, layout)
		if err != nil {
			return nil, fmt.Errorf("layout %s: %w", name, err)
		}
		result.Layouts = append(result.Layouts, l)
		result.Rows = m.rows
	}
	return result, nil
}

func allocsText(n float64) string {
	if n == 0 { // Java's client does not report it
		return ""
	}
	return fmt.Sprintf("%.4f", n)
}

func printWrites(b *strings.Builder, writes []*HBaseWrite) {
	measure.WriteTable(b, "write\trows/s\tclient CPU\tmaking rows\tfrom its start\tservers' CPU\tdata nodes' CPU\tdisk bytes a row\tpeak MB\tallocations a row", func(row func(string, ...any)) {
		for _, x := range writes {
			row("%s\t%s\t%s\t%s\t%.2f\t%s\t%s\t%.0f\t%.0f\t%s", x.Client, x.RowsPerSec.Text(0), x.CPU.Text(2), x.MakeCPU.Text(2), x.ColdCPU, x.ServersCPU.Text(2), x.DataNodesCPU.Text(2),
				x.DiskBytes, float64(x.PeakBytes)/1e6, allocsText(x.Allocs))
		}
	})
	if !slices.ContainsFunc(writes, func(w *HBaseWrite) bool { return w.Compaction != nil }) {
		return
	}
	measure.WriteTable(b, "first major compaction\tseconds\tservers' CPU\tdata nodes' CPU", func(row func(string, ...any)) {
		for _, w := range writes {
			if c := w.Compaction; c != nil {
				row("%s\t%.1f\t%.2f\t%.2f", w.Client, c.Seconds, c.ServersCPU, c.DataNodesCPU)
			}
		}
	})
}

// Print writes the result as text.
func (r *HBase) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows; %d CPUs, %s %s/%s; median of %d rounds (least in brackets); CPU: seconds a million rows\n",
		r.Rows, r.Machine.CPUs, r.Machine.Go, r.Machine.OS, r.Machine.Arch, r.Rounds)
	for _, l := range r.Layouts {
		measure.WriteTable(&b, fmt.Sprintf("layout %s, compression %s: %.1f cells, %.0f bytes of values, on disk %.0f bytes a row", l.Name, l.Compression, l.CellsPerRow, l.ValueBytes, l.DiskBytes),
			func(func(string, ...any)) {})
		printWrites(&b, l.Writes)
		measure.WriteTable(&b, "scan\trows/s\tclient CPU\tservers' CPU\tpeak MB\tallocations a row", func(row func(string, ...any)) {
			for _, x := range l.Scans {
				row("%s\t%s\t%s\t%s\t%.0f\t%s", x.Client, x.RowsPerSec.Text(0), x.CPU.Text(2), x.ServersCPU.Text(1), float64(x.PeakBytes)/1e6, allocsText(x.Allocs))
			}
		})
	}
	_, err := io.WriteString(w, b.String())
	return err
}

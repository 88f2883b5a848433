package embedded

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"sluice/hbase/tabletest"
	"sluice/schema"
)

// childDir names the folder of the table for the child process of the kill test.
const childDir = "EMBEDDED_TEST_CHILD"

const childRows = 200

// child, in the child process, loads the same log from its beginning for ever and
// says after every flush how many rows that were. It does not return then.
func child() bool {
	dir := os.Getenv(childDir)
	if dir == "" {
		return false
	}
	if err := loadForEver(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
	return true
}

func loadForEver(dir string) error {
	table, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	log := tabletest.NewLog("web01", 1)
	for n := childRows; ; n += childRows {
		rows := blockOf(table.Layout(), log, childRows)
		if err := table.Put(ctx, rows); err != nil {
			return err
		}
		if err := table.Flush(ctx); err != nil {
			return err
		}
		if _, err := fmt.Println(n); err != nil {
			return err
		}
	}
}

// blockOf makes the log's next n lines into rows.
func blockOf(layout schema.Layout, log *tabletest.Log, n int) *schema.Rows {
	rows := new(schema.Rows)
	e := layout.NewRowEncoder(&log.Stream, tabletest.Fields)
	for range n {
		rec, offset := log.Next()
		rec.Line = append([]byte(nil), rec.Line...)
		e.Append(rows, offset, rec)
	}
	return rows
}

func TestWhatWasFlushedSurvivesKill9(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	most := 0
	for range 8 {
		most = max(most, runAndKill(t, dir, rng))
		table := open(t, dir, Options{ReadOnly: true})
		want := make(map[string]string)
		log := tabletest.NewLog("web01", 1)
		for range most / childRows {
			rows := blockOf(table.Layout(), log, childRows)
			for i := range rows.Len() {
				want[string(rows.Key(i))] = string(appendValue(nil, rows.Cells(i)))
			}
		}
		got := content(t, table)
		expectFlushed(t, table, want)
		// And at most the block that was under way.
		if len(got) != len(want) && len(got) != len(want)+childRows {
			t.Errorf("%d rows, %d flushed", len(got), len(want))
		}
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Once more without a kill: exactly the rows of the log.
	table := open(t, dir, Options{})
	log := tabletest.NewLog("web01", 1)
	want := make(map[string]string)
	for range most/childRows + 1 {
		rows := blockOf(table.Layout(), log, childRows)
		if err := table.Put(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
		for i := range rows.Len() {
			want[string(rows.Key(i))] = string(appendValue(nil, rows.Cells(i)))
		}
	}
	if !maps.Equal(content(t, table), want) {
		t.Error("not exactly the rows of the log")
	}
}

// runAndKill starts the child, kills it at a random moment after some flushes, and
// returns how many rows it had flushed by its own word.
func runAndKill(t *testing.T, dir string, rng *rand.Rand) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := 0
	lines := bufio.NewScanner(out)
	for stop := 1 + rng.IntN(30); lines.Scan(); stop-- {
		if said, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if stop == 0 {
			// Not in step with the child: somewhere in the next block or two.
			time.AfterFunc(time.Duration(rng.IntN(3_000))*time.Microsecond, func() {
				if err := cmd.Process.Kill(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if err := cmd.Wait(); err == nil || said == 0 {
		t.Fatalf("the child ended by itself after %d rows: %v", said, err)
	}
	return said
}

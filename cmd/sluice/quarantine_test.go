package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/schema"
)

// FuzzQuarantine checks that reading a file of arbitrary content does not panic, and that a
// quarantined row is read back with its key and value.
func FuzzQuarantine(f *testing.F) {
	f.Add([]byte(`{"key":"00ff","reason":"too large","cells":{"line":"YQ=="}}`+"\n"), []byte{1}, []byte("a line"))
	f.Add([]byte(`{"key":"00ff","reason":"cut`), []byte{}, []byte{0xff})
	f.Add([]byte(`{"key":"no hex"}`+"\n"), []byte{2}, []byte{})
	f.Add([]byte("null\n"), []byte{3}, []byte("x"))
	f.Fuzz(func(t *testing.T, file, key, value []byte) {
		a := newApp(t.Context(), new(cli), slog.New(slog.DiscardHandler))
		a.cli.Data = t.TempDir()
		name := filepath.Join(a.cli.Data, "quarantine.jsonl")
		if err := os.WriteFile(name, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.quarantine.rows(); err != nil {
			return
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := a.quarantine.add(key, []schema.Cell{{Qualifier: "line", Value: value}}, errors.New("refused")); err != nil {
			t.Fatal(err)
		}
		rows, err := a.quarantine.rows()
		if cells := rows[string(key)]; err != nil || len(cells) != 1 || !bytes.Equal(cells[0].Value, value) {
			t.Errorf("%x: %v, %v", key, cells, err)
		}
	})
}

// TestAQuarantinedRowBehindATornOneIsRead leaves an incomplete line by filling the disk and by
// simulating a kill in the middle of a write.
func TestAQuarantinedRowBehindATornOneIsRead(t *testing.T) {
	dir, fill, free := smallDisk(t, 1<<20)
	a := newApp(t.Context(), new(cli), slog.New(slog.DiscardHandler))
	a.cli.Data = dir
	keep := func(key byte, bytes int) error {
		return a.quarantine.add([]byte{key}, []schema.Cell{{Qualifier: "line", Value: make([]byte, bytes)}}, errors.New("refused"))
	}
	if err := keep(1, 10); err != nil {
		t.Fatal(err)
	}
	fill()
	if err := keep(2, 100_000); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v, want ENOSPC", err)
	}
	free()
	f, err := os.OpenFile(filepath.Join(dir, "quarantine.jsonl"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	// An incomplete line, as a kill leaves it.
	if _, err := f.WriteString(`{"key":"02","cells":{"line":"` + strings.Repeat("A", 10_000)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for key := byte(2); key < 4; key++ {
		if err := keep(key, 100_000); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := a.quarantine.rows()
	if err != nil || len(rows) != 3 || len(rows["\x01"][0].Value) != 10 || len(rows["\x03"][0].Value) != 100_000 {
		t.Errorf("%d rows: %v", len(rows), err)
	}
}

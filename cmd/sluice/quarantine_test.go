package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"sluice/schema"
)

// FuzzQuarantine: whatever the file holds, reading it does not panic, and rows that are put
// behind what can be read come back.
func FuzzQuarantine(f *testing.F) {
	f.Add([]byte(`{"key":"00ff","reason":"too large","cells":{"line":"YQ=="}}`+"\n"), []byte{1}, []byte("a line"))
	f.Add([]byte(`{"key":"00ff","reason":"cut`), []byte{}, []byte{0xff})
	f.Add([]byte(`{"key":"no hex"}`+"\n"), []byte{2}, []byte{})
	f.Add([]byte("null\n"), []byte{3}, []byte("x"))
	f.Fuzz(func(t *testing.T, file, key, value []byte) {
		a := &app{cli: new(cli), log: slog.New(slog.DiscardHandler)}
		a.cli.Data = t.TempDir()
		name := filepath.Join(a.cli.Data, "quarantine.jsonl")
		if err := os.WriteFile(name, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.readQuarantine(); err != nil {
			return
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := a.quarantine(key, []schema.Cell{{Qualifier: "line", Value: value}}, errors.New("refused")); err != nil {
			t.Fatal(err)
		}
		rows, err := a.readQuarantine()
		if cells := rows[string(key)]; err != nil || len(cells) != 1 || !bytes.Equal(cells[0].Value, value) {
			t.Errorf("%x: %v, %v", key, cells, err)
		}
	})
}

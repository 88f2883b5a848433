package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sluice/ingest/segment/vfs"
)

// feed is a file of the data directory. It names the spool whose segments are stored in a columnar
// table, so that queries of the table include the lines in the spool.
type feed struct {
	Table string `json:"table"` // result of tree.id
	Spool string `json:"spool"` // an absolute path
}

func feedPath(data string) string { return filepath.Join(data, "columnar.json") }

// noteFeed records in the data directory that the spool's segments are stored in the tree.
func noteFeed(data string, t tree, spool string) error {
	spool, err := filepath.Abs(spool)
	if err != nil {
		return err
	}
	now := feed{Table: t.id(), Spool: spool}
	if old, err := readFeed(data); err == nil && old == now {
		return nil
	}
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	if err := vfs.Replace(vfs.OS{}, feedPath(data), append(text, '\n')); err != nil {
		return fmt.Errorf("note the columnar table in --data: %w", err)
	}
	return nil
}

func readFeed(data string) (f feed, err error) {
	text, err := os.ReadFile(feedPath(data))
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	return f, err
}

// spoolOf returns the spool whose segments are stored in the tree, "" for none. If the file cannot
// be read, it logs a warning and returns "".
func (o *trees) spoolOf(t tree) string {
	f, err := readFeed(o.cli.Data)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			o.log.Warn("cannot read which table the spool's lines are for, only stored lines are read", "path", feedPath(o.cli.Data), "err", err)
		}
		return ""
	}
	if f.Table != t.id() {
		return ""
	}
	return f.Spool
}

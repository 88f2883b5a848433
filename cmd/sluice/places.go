package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sluice/ingest/segment/vfs"
)

// places are the checkpoint and the spool of a data directory's process, as absolute paths. They are
// recorded there if --checkpoint or --spool puts one of them elsewhere, because audit, prune, compact
// and ack have only --data: without the record they would take such a directory for an empty one.
type places struct {
	Checkpoint string `json:"checkpoint,omitempty"`
	Spool      string `json:"spool,omitempty"`
}

func placesPath(data string) string { return filepath.Join(data, "places.json") }

// notePlaces records what the flags of a process say. "" is the default, in the data directory.
func notePlaces(data, checkpoint, spool string) (err error) {
	var now places
	for _, p := range []struct {
		given string
		place *string
	}{{checkpoint, &now.Checkpoint}, {spool, &now.Spool}} {
		if p.given == "" {
			continue
		}
		if *p.place, err = filepath.Abs(p.given); err != nil {
			return err
		}
	}
	old, err := readPlaces(data)
	if err == nil && old == now {
		return nil
	}
	if now == (places{}) {
		err = os.Remove(placesPath(data))
	} else if text, failed := json.Marshal(now); failed != nil {
		err = failed
	} else {
		err = vfs.Replace(vfs.OS{}, placesPath(data), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("record --checkpoint and --spool in --data: %w", err)
	}
	return nil
}

// readPlaces returns what the last process with this data directory recorded.
func readPlaces(data string) (p places, err error) {
	text, err := os.ReadFile(placesPath(data))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, fmt.Errorf("read where checkpoint and spool are: %s: %w\nhint: start the process of --data again, which writes it anew", placesPath(data), err)
	}
	return p, nil
}

// checkpointPath returns the path of the checkpoint of a data directory.
func checkpointPath(data string) (string, error) {
	p, err := readPlaces(data)
	return cmp.Or(p.Checkpoint, filepath.Join(data, "checkpoint")), err
}

// spoolPath returns the directory of the spool of a data directory.
func spoolPath(data string) (string, error) {
	p, err := readPlaces(data)
	return cmp.Or(p.Spool, filepath.Join(data, "spool")), err
}

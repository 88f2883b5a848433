package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// document is the content of the file.
type document struct {
	Kind    string `json:"sluice"`
	Version int    `json:"version"`
	// Collector is part of the names of this directory's segments in the archive, and unique.
	Collector string `json:"collector"`
	// Seq is the last segment number that was used.
	Seq     uint64    `json:"seq"`
	Streams []*Stream `json:"streams"`
	// Unmarked are the archive's directories that must still be marked as complete.
	Unmarked []Directory `json:"unmarked,omitempty"`
	// Hosts are the hosts that are reported as missing when they are silent.
	Hosts []string `json:"hosts,omitempty"`
	// Losses are lines that were deleted before they were read, until they are acknowledged.
	Losses []Loss `json:"losses,omitempty"`
	// LastLoss is the greatest number of a loss that was used.
	LastLoss int64 `json:"last_loss,omitempty"`
}

// ErrDamaged is returned if the checkpoint exists and cannot be used. Starting without
// it would store every line again, so callers must stop.
var ErrDamaged = errors.New("checkpoint is damaged or not of sluice")

const (
	documentKind    = "checkpoint"
	documentVersion = 1
	// maxFileBytes is the limit of the file: some hundred bytes for each of a million streams.
	maxFileBytes = 1 << 30
)

// decode sets the content of the file, a JSON document that is followed by a line with its CRC-32C.
func (c *File) decode(b []byte) error {
	doc, err := parseDocument(b)
	if err != nil {
		return err
	}
	c.collector, c.seq = doc.Collector, doc.Seq
	c.streams.set(doc.Streams)
	c.Unmarked.dirs = doc.Unmarked
	c.Expected.hosts = doc.Hosts
	c.Losses.set(doc.Losses, doc.LastLoss)
	return nil
}

func parseDocument(b []byte) (*document, error) {
	body, err := vfs.WithoutSum(b)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, err
	}
	for _, t := range doc.Streams {
		if t == nil || t.Stored < 0 || !t.missingIsSound() || t.HeadBytes < 0 || t.TailBytes < 0 || t.TailAt < int64(t.TailBytes) || t.SeenBytes < 0 || t.LostBytes < 0 {
			return nil, errors.New("it holds a stream with impossible positions")
		}
		if slices.ContainsFunc(t.Marks, func(m Mark) bool { return !m.valid() }) {
			return nil, errors.New("it holds a stream with an impossible fingerprint")
		}
	}
	if doc.Kind != documentKind || doc.Version != documentVersion {
		return nil, fmt.Errorf("it is %q version %d, not %q version %d", doc.Kind, doc.Version, documentKind, documentVersion)
	}
	for _, t := range doc.Streams {
		t.Path, t.LastPath = schema.PathOf(t.Path, t.PathBytes), schema.PathOf(t.LastPath, t.LastPathBytes)
	}
	for i := range doc.Losses {
		doc.Losses[i].Path = schema.PathOf(doc.Losses[i].Path, doc.Losses[i].PathBytes)
	}
	slices.Sort(doc.Hosts)
	return &doc, nil
}

// document returns the content of the file. It shares the streams and lists, so c.mu must be held
// until it is encoded.
func (c *File) document() *document {
	for _, t := range c.streams.all {
		t.settle()
		t.PathBytes, t.LastPathBytes = schema.PathBytes(t.Path), schema.PathBytes(t.LastPath)
	}
	return &document{
		Kind: documentKind, Version: documentVersion, Collector: c.collector, Seq: c.seq,
		Streams: c.streams.all, Unmarked: c.Unmarked.dirs, Hosts: c.Expected.hosts,
		Losses: c.Losses.list, LastLoss: c.Losses.last,
	}
}

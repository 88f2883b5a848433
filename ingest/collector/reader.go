package collector

import (
	"fmt"
	"maps"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment"
	"sluice/parse"
	"sluice/schema"
	"sluice/table/columnar"
)

// lineReader parses the lines of one stream. It is not safe for concurrent use.
type lineReader struct {
	format  *parse.Format
	labels  map[string]string
	encoder *schema.RowEncoder // nil: rows are not wanted
	columns *columnar.Encoder  // nil: columns are not wanted
	status  int                // index of the status field; -1: the format has none
	schema  string             // schema of packed records
	period  period             // period of the last line with a time
}

// prepare sets the reader up for the stream's current format and labels. It does nothing if they
// have not changed.
func (r *lineReader) prepare(stream *schema.Stream, labels map[string]string, cfg *Config, columns bool) error {
	rows := cfg.Table != nil && cfg.tableReady()
	if r.format != nil && r.format.String() == stream.Format && maps.Equal(r.labels, labels) && (r.encoder != nil || !rows) {
		return nil
	}
	if err := segment.CheckEntry(*stream, labels); err != nil {
		return fmt.Errorf("stream %s: %w", stream.ID, err)
	}
	format, err := parse.OfStream(stream)
	if err != nil {
		return err
	}
	if rows {
		encoder := cfg.Table.Layout().NewRowEncoder(stream, format.Fields())
		if r.schema, err = encoder.Schema(); err != nil {
			return fmt.Errorf("stream %s: %w", stream.ID, err)
		}
		r.encoder = encoder
	}
	if columns {
		if r.columns, err = columnar.NewEncoder(stream, labels, format, columnar.EncoderOptions{AllLines: cfg.AllLines}); err != nil {
			return fmt.Errorf("stream %s: %w", stream.ID, err)
		}
	}
	r.format, r.labels, r.status = format, labels, schema.Index(format.Fields(), "status")
	return nil
}

// prepare sets up one of a stream's readers for the current format and labels, and returns the
// stream and labels as the checkpoint has them. Only st.reader encodes columns.
func (cfg *Config) prepare(st *streamState, r *lineReader) (*schema.Stream, map[string]string, error) {
	origin, labels := cfg.origin(st.tracked)
	if err := r.prepare(origin, labels, cfg, cfg.Columns != nil && r == &st.reader); err != nil {
		return nil, nil, err
	}
	if cfg.Table == nil || r.encoder != nil {
		cfg.Checkpoint.Update(func() { st.tracked.Schema = r.schema })
	}
	return origin, labels, nil
}

// origin returns the stream and its labels as the checkpoint has them now. The format may change
// once.
func (cfg *Config) origin(t *checkpoint.Stream) (s *schema.Stream, labels map[string]string) {
	cfg.Checkpoint.Update(func() {
		now := t.Stream
		s, labels = &now, t.Labels
	})
	return s, labels
}

// tableReady reports whether Table can be used.
func (cfg *Config) tableReady() bool {
	if cfg.TableReady == nil {
		return true
	}
	select {
	case <-cfg.TableReady:
		return true
	default:
		return false
	}
}

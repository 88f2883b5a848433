package receiver

import (
	"context"
	"fmt"

	"sluice/ingest/protocol"
	"sluice/parse"
)

// maxInstructions is the limit for the program of a sender's pattern. Those of access logs have
// about 200. With a thousand, 1 MiB of the worst lines takes about 20 s.
const maxInstructions = 1_000

// checkAll returns the streams whose format this collector rejects, by their index in the list. A
// sender can make compiling slow, so it counts as one of its host's turns, and no lock is held.
func (s *session) checkAll(ctx context.Context, streams []protocol.Stream) (map[int]error, error) {
	if err := s.turn(ctx); err != nil {
		return nil, err
	}
	defer s.turnOver()
	type format struct{ text, zone string }
	checked := map[format]error{}
	wrong := map[int]error{}
	for i := range streams {
		f := format{streams[i].Format, streams[i].Zone}
		err, known := checked[f]
		if !known {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			err = s.cfg.checkFormat(f.text, f.zone)
			checked[f] = err
		}
		if err != nil {
			wrong[i] = err
		}
	}
	return wrong, nil
}

// checkFormat rejects a format that this collector does not parse for other hosts. The lines then
// stay in the sender's log. Storing them with null for each value was rejected: they could not be
// stored again when the format is corrected or permitted.
func (c *Config) checkFormat(text, zone string) error {
	f, err := parse.LookupIn(text, zone)
	if err != nil || c.AllowBacktracking {
		return err
	}
	const how = "write a pattern in RE2 syntax without high counts, or start the collector with --allow-backtracking"
	if f.Backtracks() {
		return fmt.Errorf("the pattern needs backtracking, and one line can make that slow for every host: %s", how)
	}
	if n := f.Instructions(); n > maxInstructions {
		return fmt.Errorf("the pattern has %d instructions, more than %d, and every line of it would be slow: %s", n, maxInstructions, how)
	}
	return nil
}

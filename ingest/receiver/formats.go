package receiver

import (
	"context"
	"fmt"

	"sluice/ingest/protocol"
	"sluice/parse"
)

// maxInstructions bounds the program of a pattern that a sender names; those of access
// logs have about 200. At a thousand 1 MiB of the worst lines takes some 20 s.
const maxInstructions = 1_000

// checkAll returns the streams whose format this collector does not take, by their place
// in the list. Compiling takes a sender as long as it likes to make it: it is done
// with one of its host's turns, and holds no lock.
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

// checkFormat refuses a format that this collector does not parse for others. Its lines
// stay in the sender's log until the format is another or the collector takes it: with
// null for each value they could not be stored again once it is allowed.
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

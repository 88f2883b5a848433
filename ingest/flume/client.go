package flume

import (
	"context"
	"errors"
	"fmt"
	"net"

	"sluice/ingest/avrorpc"
)

// ErrFailed is a status other than OK: the source could not put the events into its channels. They
// may be sent again; Flume stores them twice then if it had put them into some channels.
var ErrFailed = errors.New("the Flume source did not accept the events")

// Client sends events to a Flume Avro source.
type Client struct{ *avrorpc.Client }

// NewClient makes the handshake on conn, which may be wrapped in TLS and [avrorpc.Deflate].
func NewClient(ctx context.Context, conn net.Conn, o avrorpc.ClientOptions) (*Client, error) {
	c, err := avrorpc.NewClient(ctx, conn, Protocol(), o)
	if err != nil {
		return nil, err
	}
	return &Client{c}, nil
}

// Append sends a batch. It returns nil if the source's channels have all of it.
func (c *Client) Append(ctx context.Context, events []Event) error {
	b := avrorpc.AppendCount(nil, len(events))
	for i := range events {
		b = events[i].append(b)
	}
	b = avrorpc.AppendEnd(b, len(events))
	reply, err := c.Call(ctx, "appendBatch", nil, b, nil)
	if err != nil {
		return fmt.Errorf("deliver %d events to flume: %w", len(events), err)
	}
	r := avrorpc.NewReader(reply)
	status := r.Enum(statuses)
	if err := r.End(); err != nil {
		return fmt.Errorf("flume's status: %w", err)
	}
	if status != statusOK {
		return ErrFailed
	}
	return nil
}

package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/doctor"
	"sluice/hadoop/protobuf"
	"sluice/hbase/region"
	"sluice/hbase/rpc"
)

// zooKeeper checks each server separately, as a client may connect to any of them.
func (e *examination) zooKeeper(ctx context.Context) {
	for _, s := range e.URL.Servers {
		address := s.Address()
		e.report.Timed("zookeeper "+address, func() (string, time.Duration, error) {
			m, err := region.ExamineZooKeeper(ctx, address, e.URL.Root, e.Options.Timeout)
			switch {
			case ctx.Err() != nil:
				return "", 0, ctx.Err()
			case err != nil:
				return "", 0, err
			case !m.Found:
				return "", 0, fmt.Errorf("it has no node %s: either it is not this cluster's, or the cluster's node has another name: give it, hbase://%s/ZNODE/%s (zookeeper.znode.parent)", e.URL.Root, address, e.URL.Table)
			}
			text := m.Mode
			if text == "" {
				text = "leader or follower is not known, for srvr is switched off there (4lw.commands.whitelist)"
			}
			if m.NoNode {
				return text + "; takes sessions; we may not make a node there, and need none", m.RoundTrip, nil
			}
			return text + "; a temporary node was made, read and removed", m.RoundTrip, nil
		})
	}
}

// clusterStatus is the state of the cluster in the master.
type clusterStatus struct {
	version, id string
	live        []rpc.Server
	dead        []rpc.Server
	transitions int // regions in transition
}

func (s clusterStatus) alive(server rpc.Server) bool {
	for _, l := range s.live {
		if l.Address() == server.Address() {
			return true
		}
	}
	return false
}

func (e *examination) askMaster(ctx context.Context) bool {
	return e.step(ctx, stepMaster+" "+e.master.Address(), func(ctx context.Context) (string, error) {
		response, err := e.pool.Call(ctx, e.master, rpc.MasterService, &rpc.Request{Method: "GetClusterStatus"})
		var refused *rpc.RemoteError
		if errors.As(err, &refused) && !errors.Is(err, rpc.ErrLost) && strings.HasSuffix(refused.Class, ".AccessDeniedException") {
			return "", doctor.Skip("it answers, and tells only administrators which servers there are")
		}
		if err != nil {
			return "", err
		}
		defer response.Release()
		if e.status, err = parseStatus(response.Message); err != nil {
			return "", fmt.Errorf("%s: GetClusterStatus: %w", e.master, err)
		}
		if len(e.status.live) == 0 {
			return "", errors.New("it has no region server: start at least one")
		}
		text := fmt.Sprintf("HBase %s, cluster %s; region servers: %d", e.status.version, e.status.id, len(e.status.live))
		if n := len(e.status.dead); n > 0 {
			text += fmt.Sprintf(", and %d that died: %v", n, e.status.dead)
		}
		if e.status.transitions > 0 {
			text += fmt.Sprintf("; %d regions are in transition", e.status.transitions)
		}
		return text, nil
	})
}

// parseStatus parses a GetClusterStatusResponse {1 ClusterStatus}.
func parseStatus(message []byte) (s clusterStatus, err error) {
	outer := protobuf.Read(message)
	for outer.Next() {
		if outer.Number != 1 {
			continue
		}
		f := protobuf.Read(outer.Bytes)
		for f.Next() {
			switch f.Number {
			case 1: // HBaseVersionFileContent {1 version}
				s.version = string(firstField(f.Bytes))
			case 2: // LiveServerInfo {1 ServerName, 2 ServerLoad}
				server, err := region.ParseServerName(firstField(f.Bytes))
				if err != nil {
					return s, err
				}
				s.live = append(s.live, server)
			case 3:
				server, err := region.ParseServerName(f.Bytes)
				if err != nil {
					return s, err
				}
				s.dead = append(s.dead, server)
			case 4:
				s.transitions++
			case 5: // ClusterId {1 cluster_id}
				s.id = string(firstField(f.Bytes))
			}
		}
		if f.Err != nil {
			return s, f.Err
		}
	}
	return s, outer.Err
}

// firstField returns field 1 of a message.
func firstField(message []byte) []byte {
	f := protobuf.Read(message)
	for f.Next() {
		if f.Number == 1 {
			return f.Bytes
		}
	}
	return nil
}

// servers pings each region server: one that hangs accepts connections, and does not respond.
func (e *examination) servers(ctx context.Context) {
	for _, server := range e.status.live {
		e.report.Timed("region server "+server.Address(), func() (string, time.Duration, error) {
			inner, cancel := context.WithTimeout(ctx, 2*e.Options.Timeout)
			defer cancel()
			took, err := e.ping(inner, server)
			if ctx.Err() != nil {
				return "", 0, ctx.Err()
			}
			if err != nil {
				return "", 0, err
			}
			text := "answers; started " + time.UnixMilli(int64(server.StartCode)).Format(time.DateTime)
			if e.TLS != nil {
				c, err := e.TLS.Certificate(inner, server)
				if err != nil {
					return "", 0, err
				}
				text += "; its certificate is good until " + c.NotAfter.Local().Format(time.DateTime)
			}
			return text, took, nil
		})
	}
}

func (e *examination) ping(ctx context.Context, server rpc.Server) (time.Duration, error) {
	conn, err := e.pool.Get(ctx, server, rpc.ClientService)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := conn.Ping(ctx); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

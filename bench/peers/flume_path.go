package peers

import (
	"context"
	_ "embed"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed flume/path.xml
var flumePathPOM []byte

//go:embed flume/path.conf
var flumePath string

// FlumePath is the path of log lines through Flume to HBase and HDFS in a common setup: an agent
// with TAILDIR, and a collector with two channels.
type FlumePath struct {
	// Channel is file, which is durable, or memory.
	Channel string
	// Logs is the directory with the files access-NUMBER.log.
	Logs string
	// Table and Family are a table in the cluster that the configuration in the directory Conf is
	// for. Archive is the URL of a directory in HDFS.
	Table, Family, Conf, Archive string

	Agent, Collector *Flume
	text             string
}

// PathJars downloads the jars for FlumePath, like Jars.
func PathJars(ctx context.Context, cache string) (string, error) {
	return resolve(ctx, cache, flumePathPOM)
}

// StartCollector starts the collector; home is an empty directory for both agents.
func (p *FlumePath) StartCollector(ctx context.Context, jars, home string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	p.text = strings.NewReplacer("@HOME@", home, "@LOGS@", p.Logs, "@CHANNEL@", p.Channel, "@PORT@", strconv.Itoa(port),
		"@TABLE@", p.Table, "@FAMILY@", p.Family, "@ARCHIVE@", p.Archive).Replace(flumePath)
	p.Collector, err = startFlume(ctx, "collector", p.text, home, p.Conf+":"+filepath.Join(jars, "*"))
	return err
}

// StartAgent starts the agent.
func (p *FlumePath) StartAgent(ctx context.Context, jars, home string) (err error) {
	p.Agent, err = startFlume(ctx, "agent", p.text, home, filepath.Join(jars, "*"))
	return err
}

// Stored returns the number of events that both sinks of the collector have committed. The HBase
// sink drops lines that do not match its expression.
func (p *FlumePath) Stored(ctx context.Context) (int64, error) {
	rows, err := p.Collector.count(ctx, "CHANNEL.rows", "EventTakeSuccessCount")
	if err != nil {
		return 0, err
	}
	files, err := p.Collector.count(ctx, "CHANNEL.files", "EventTakeSuccessCount")
	return min(rows, files), err
}

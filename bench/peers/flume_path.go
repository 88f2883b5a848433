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

// FlumePath is Flume's way from logs to HBase and HDFS, as its users set it up: an
// agent with TAILDIR, and a collector with two channels.
type FlumePath struct {
	// Channel is file, which is durable, or memory.
	Channel string
	// Logs is the folder of access-NUMBER.log files.
	Logs string
	// Table, with a column family, is in the cluster whose configuration is in the
	// folder Conf. Archive is a folder in HDFS, as a URL.
	Table, Family, Conf, Archive string

	Agent, Collector *Flume
	text             string
}

// PathJars resolves the jars that FlumePath needs, as Jars does.
func PathJars(ctx context.Context, cache string) (string, error) {
	return resolve(ctx, cache, flumePathPOM)
}

// StartCollector starts the collector; home is an empty folder for both.
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

// Stored is how many events both sinks of the collector are done with: committed takes
// from their channels. The sink for HBase drops lines that its expression does not
// match.
func (p *FlumePath) Stored(ctx context.Context) (int64, error) {
	rows, err := p.Collector.Count(ctx, "CHANNEL.rows", "EventTakeSuccessCount")
	if err != nil {
		return 0, err
	}
	files, err := p.Collector.Count(ctx, "CHANNEL.files", "EventTakeSuccessCount")
	return min(rows, files), err
}

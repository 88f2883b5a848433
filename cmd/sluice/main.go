// Command sluice stores Apache access logs in a table of typed rows and an
// archive of the original lines, and reads them back.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"sluice/print"
	"sluice/table/columnar"
)

// cli defines all commands and flags. A test compares docs/configuration.md with it.
type cli struct {
	Config  kong.ConfigFlag `placeholder:"FILE" help:"Read flags from a YAML file: flag names as keys, below the command's name. Flags and the environment win over it."`
	Data    string          `default:"sluice-data" placeholder:"DIR" help:"Directory of checkpoint and spool; without --table and --archive also of the table and the archive."`
	Verbose bool            `short:"v" help:"Log debug messages, too."`
	Quiet   bool            `short:"q" help:"Log warnings and errors only."`
	Wait    time.Duration   `default:"60s" placeholder:"TIME" help:"Time to keep trying a cluster that does not answer; 0 is no limit. Agent, collector and a run that follows ignore it: they try until they are stopped."`
	kerberosFlags

	Run       runCmd       `cmd:"" help:"Store the lines of logs in a table and an archive."`
	Agent     agentCmd     `cmd:"" help:"Send a web host's logs to a collector."`
	Collector collectorCmd `cmd:"" help:"Store what agents send in a table and an archive."`
	Status    statusCmd    `cmd:"" help:"Show the status of the sluice process that uses this data directory."`
	Ack       ackCmd       `cmd:"" help:"Acknowledge lines that were lost."`
	Top       topCmd       `cmd:"" help:"Show the health of a collector and its hosts, live."`
	Parse     parseCmd     `cmd:"" help:"Print logs as typed records; nothing is stored."`
	Scan      scanCmd      `cmd:"" help:"Print a table's rows in time order, or count them."`
	Report    reportCmd    `cmd:"" help:"Write an HTML file about the requests in a columnar table."`
	Archive   archiveCmd   `cmd:"" help:"List, print and verify the files of an archive."`
	Table     tableCmd     `cmd:"" help:"Verify the files of a columnar table."`
	Compact   compactCmd   `cmd:"" help:"Merge the small files of a columnar table's closed days."`
	Prune     pruneCmd     `cmd:"" help:"Remove old files from a columnar table and the archive."`
	Audit     auditCmd     `cmd:"" help:"Compare log, archive and table line by line."`
	Schema    schemaCmd    `cmd:"" help:"Print the Avro schema, or the DDL that other programs need to read the table."`
	Doctor    doctorCmd    `cmd:"" help:"Check step by step whether table and archive work."`
	Bench     benchCmd     `cmd:"" help:"Measure parser, table, archive and the whole run on this machine."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// app is passed to the Run method of each command.
type app struct {
	ctx            context.Context
	cli            *cli
	stdin          io.Reader
	stdout, stderr io.Writer
	log            *slog.Logger
	logs           *logWriter // the writer of log; its Write never blocks

	trees      *trees
	hbase      *hbaseTables
	quarantine *quarantine
	compactor  *compactor
}

// usageError is an error that the user can correct on the command line or in the environment. The
// command did nothing, and the exit status is 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitError ends the process with this status and without a message: the command has printed the
// reason.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	// Writing to a pipe whose reader has gone must return an error; by default SIGPIPE ends the
	// process if the pipe is standard output or standard error.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once, because stop restores the default handling.
	context.AfterFunc(ctx, stop)
	restrictUmask()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes a command line and returns the exit status. main and tests pass the arguments and
// streams.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c, k, exited, err := commandLine(args, stdout, stderr)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		print.Textf(stderr, "sluice: %v; sluice --help lists commands and flags\n", err)
		return 2
	}
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	} else if c.Quiet {
		level = slog.LevelWarn
	}
	if c.Wait < 0 {
		print.Textln(stderr, "sluice: --wait must be at least 0")
		return 2
	}
	if _, ok := stderr.(*os.File); !ok {
		stderr = &serialWriter{w: stderr}
	}
	logs := newLogWriter(stderr)
	defer logs.flush(logFlushTimeout)
	a := newApp(ctx, c, slog.New(newThrottle(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: level}))))
	a.stdin, a.stdout, a.stderr, a.logs = stdin, stdout, stderr, logs
	return a.status(k.Run(a))
}

// newApp returns an app without standard streams.
func newApp(ctx context.Context, c *cli, log *slog.Logger) *app {
	a := &app{ctx: ctx, cli: c, log: log, trees: &trees{ctx, c, log}, quarantine: &quarantine{cli: c, log: log}}
	a.hbase = &hbaseTables{ctx, c, log, a.trees, a.quarantine}
	a.compactor = &compactor{ctx, c, log, a.trees}
	return a
}

// status prints the error and its hints, and returns the exit status.
func (a *app) status(err error) int {
	a.logs.flush(logFlushTimeout) // so that the error is printed after all log messages
	var exit exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case a.outputClosed(err): // `sluice scan | head`
		return 0
	}
	if a.ctx.Err() != nil && errors.Is(err, context.Canceled) {
		print.Textln(a.stderr, "sluice: interrupted:", err)
		return 1
	}
	print.Textln(a.stderr, "sluice:", err)
	if hint := a.unreachable(err); hint != "" {
		print.Textln(a.stderr, "hint:", hint)
	}
	if hint := hintPassing(err); hint != "" {
		print.Textln(a.stderr, "hint:", hint)
	}
	if errors.Is(err, columnar.ErrFile) {
		print.Textln(a.stderr, "hint:", hintDamaged)
	}
	if errors.As(err, &usageError{}) {
		return 2
	}
	return 1
}

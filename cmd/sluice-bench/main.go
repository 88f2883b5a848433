// Command sluice-bench measures sluice and other programs: see docs/benchmarks.md. It
// is for developers; operators need only the sluice program.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"sluice/bench/compare"
)

// cli defines all commands and flags.
type cli struct {
	Sluice string `type:"path" placeholder:"FILE" help:"The sluice program to measure (default: the one in the directory of this program)."`
	JSON   bool   `help:"Print JSON instead of tables."`
	Rounds int    `default:"5" placeholder:"N" help:"Measurements of each kind; the median and the minimum are printed."`
	Seed   uint64 `default:"1" placeholder:"N" help:"Seed of the logs: the same seed gives the same logs."`
	Dir    string `placeholder:"DIR" help:"Directory for temporary files, about twice the size of the logs (default: the system's)."`
	Peers  string `placeholder:"DIR" help:"Directory that keeps Flume's jars between runs (default: in the user's cache directory)."`

	Tail  tailCmd  `cmd:"" help:"Follow many logs, beside nxadm/tail and Flume."`
	Web   webCmd   `cmd:"" help:"Load a web server, with and without a reader of its logs."`
	Hog   hogCmd   `cmd:"" help:"Follow logs on a host where other processes use the CPU."`
	HBase hbaseCmd `cmd:"" name:"hbase" help:"Write to and scan an HBase cluster, beside HBase's own Java client."`
	Load  loadCmd  `cmd:"" name:"load" help:"Load files into an HBase cluster, beside Put and HBase's own loader, and compact them."`
	Path  pathCmd  `cmd:"" help:"Run agents and a collector, from log files to HBase and HDFS, beside Flume."`
	Child childCmd `cmd:"" hidden:"" help:"A process that tail or hbase start."`
}

// Help returns the detailed help text; kong calls it.
func (cli) Help() string {
	return `Measure sluice beside other programs on this machine:

    go build ./cmd/sluice && go build ./cmd/sluice-bench
    ./sluice-bench tail --shape even,hot,idle --readers none,sluice-1s,nxadm,flume
    ./sluice-bench web --picture web.svg      # needs apache2, wrk; java and mvn for flume
    ./sluice-bench hog --rate 2000 --load 40s # needs stress-ng
    test/cluster/cluster up && ./sluice-bench hbase --layouts typed,packed --rounds 3; test/cluster/cluster down
    ./sluice-bench load --compression SNAPPY --rounds 3     # with a cluster, too
    ./sluice-bench path --ways typed,flume-file --rounds 3  # with a cluster, too

On a machine with other work, compare only ratios within one output.`
}

// app is passed to the Run method of each command.
type app struct {
	*cli
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	log    *slog.Logger
}

// usageError is an error that the user can correct on the command line. The exit status is 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errWrong is returned after the errors of a result were printed. The exit status is 1.
var errWrong = errors.New("the result is wrong")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes a command line and returns the exit status. main and tests pass the arguments and
// streams.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("sluice-bench"),
		kong.Description("Measure sluice beside other programs."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "sluice-bench:", err)
		return 1
	}
	k, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err == nil {
		a := &app{cli: &c, ctx: ctx, stdin: stdin, stdout: stdout, log: slog.New(slog.NewTextHandler(stderr, nil))}
		if err = a.check(); err == nil {
			err = k.Run(a)
		}
	} else {
		err = usageError{fmt.Errorf("%w; sluice-bench --help lists commands and flags", err)}
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errWrong):
		return 1
	}
	fmt.Fprintln(stderr, "sluice-bench:", err)
	if errors.As(err, &usageError{}) {
		return 2
	}
	return 1
}

func (a *app) check() error {
	if a.Rounds < 1 {
		return usage("--rounds must be at least 1")
	}
	return nil
}

// print prints a result in the format of the flags.
func (a *app) print(result interface{ Print(io.Writer) error }) error {
	if !a.JSON {
		return result.Print(a.stdout)
	}
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(result)
}

// wrong logs the errors of a result. It returns errWrong if there are any.
func (a *app) wrong(lines []string) error {
	for _, line := range lines {
		a.log.Error("result is wrong", "err", line)
	}
	if len(lines) > 0 {
		return errWrong
	}
	return nil
}

// say logs what is measured next.
func (a *app) say(what string) { a.log.Info("measuring", "operation", what) }

// inDir calls do with a temporary directory, and removes it.
func (a *app) inDir(do func(dir string) error) error {
	dir, err := os.MkdirTemp(a.Dir, "sluice-bench-")
	if err != nil {
		return usage("--dir: %w", err)
	}
	return errors.Join(do(dir), os.RemoveAll(dir))
}

// peersDir returns the directory that keeps the files of other programs between runs.
func (a *app) peersDir() (string, error) {
	if a.Peers != "" {
		return a.Peers, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", usage("--peers: %w", err)
	}
	return filepath.Join(cache, "sluice-peers"), nil
}

// withPeers calls do with the command of the measured program, the directory of other programs, and
// a temporary directory.
func (a *app) withPeers(do func(sluice compare.Command, peers, dir string) error) error {
	sluice, err := a.sluice()
	if err != nil {
		return err
	}
	peers, err := a.peersDir()
	if err != nil {
		return err
	}
	return a.inDir(func(dir string) error { return do(sluice, peers, dir) })
}

// sluice returns the command that starts the measured program, without the SLUICE_ variables of
// this process, so that the result does not depend on them.
func (a *app) sluice() (compare.Command, error) {
	path := a.Sluice
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		path = filepath.Join(filepath.Dir(self), "sluice")
	}
	if _, err := os.Stat(path); err != nil {
		return nil, usage("the program to measure: %w\nhint: build it with go build ./cmd/sluice, or name it with --sluice", err)
	}
	return func(ctx context.Context, args ...string) *exec.Cmd { return command(ctx, path, args...) }, nil
}

// spawn returns the command that starts this program as a child of tail or hbase.
func spawn(child string) compare.Spawn {
	return func(ctx context.Context) *exec.Cmd { return command(ctx, "/proc/self/exe", "child", child) }
}

func command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	for _, s := range os.Environ() {
		if !strings.HasPrefix(s, "SLUICE_") {
			cmd.Env = append(cmd.Env, s)
		}
	}
	return cmd
}

// childCmd writes or reads the logs of tail, or is sluice's client in hbase, as instructed on
// standard input.
type childCmd struct {
	Of string `arg:"" enum:"tail,hbase"`
}

// Run executes the instructions on standard input.
func (c childCmd) Run(a *app) error {
	if c.Of == "hbase" {
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(50) // as sluice run does
		}
		return compare.HBaseChild(a.ctx, a.stdin, a.stdout)
	}
	return compare.TailChild(a.ctx, a.stdin, a.stdout)
}

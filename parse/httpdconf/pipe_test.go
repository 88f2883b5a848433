package httpdconf

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func needProgram(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip("left out: ", err)
	return ""
}

// TestGlobsMatchWhatRotatelogsWrites runs the real rotatelogs, whose files must match
// the globs, and other files beside them must not.
func TestGlobsMatchWhatRotatelogsWrites(t *testing.T) {
	program := needProgram(t, "rotatelogs")
	for command, others := range map[string][]string{
		"DIR/access 86400 -90":                           {"access", "access.log", "access.1", "access.1795881600.gz", "error.1795881600"},
		"-l -f -v DIR/access 5M":                         {"access.17958816000", "access.x795881600"},
		"DIR/access.%Y-%m-%d.log 86400":                  {"access.2026-11-28.log.gz", "access.log", "access.2026-11.log", "access.error-11-28.log"},
		"-D DIR/%Y/%m/%d/access.%H%M%S 10B":              {"2026/11/access.101010", "2026/11/28/error.101010"},
		"-e -c -T -L DIR/link DIR/a.%b-%a.%p.%y.%j 3600": {"a.log", "a.Nov.AM.26.001"},
		"-D DIR/%D/%T 3600":                              {"11/28/26/log", "11-28-26"},
		"DIR/%e.%k.%l.%s.%z.%u.%w.%U.%V.%W.%G.%g.%C 1K":  {"access.log"},
		"DIR/100%%.%F 1K":                                {"100.2026-11-28", "100%.2026-1-28"},
		"DIR/%c.%A.%B.%P.%R.%r.%X.%Z 1K":                 {"access.log"},
		"DIR/unknown.%q.%E.%Ey.%Om.%-d.%10Y.% 1K":        {"unknown"},
		"-n 3 DIR/numbered 10B":                          {"numbered.3", "numbered.1.gz", "numbered.0", "numbered.2026"},
		"-n12 DIR/numbered 10B":                          {"numbered.12345", "numbered.100", "numbered.log"},
		"-t DIR/truncated 10B":                           {"truncated.1", "truncated.1795881600"},
		"-t -n 4 DIR/both 10B":                           {"both.1"},
		`"DIR/a [b]*?.log" 1M`:                           {"a b.log.1795881600", "a [b]xy.log.1795881600"},
	} {
		dir := t.TempDir() // its name has no % as the command has
		t.Run(command, func(t *testing.T) {
			command := strings.ReplaceAll(command, "DIR", dir)
			argv, err := shellWords(command)
			if err != nil {
				t.Fatal(err)
			}
			writes(t, exec.Command(program, argv...))
			checkGlobs(t, dir, program+" "+command, others)
		})
	}
}

// TestGlobsMatchWhatCronologWrites is the same with cronolog.
func TestGlobsMatchWhatCronologWrites(t *testing.T) {
	program := needProgram(t, "cronolog")
	for command, others := range map[string][]string{
		"DIR/%Y/%m/%d/access.log":                   {"2026/11/access.log", "access.log", "2026/11/28/error.log"},
		"-S DIR/link DIR/access.%Y%m%d":             {"access.log", "access.20261128.gz", "access.2026112"},
		"DIR/a.%H.%b --symlink=DIR/link -P DIR/old": {"a.1.Nov", "a.01.11"},
		"--period 1days -z UTC -a -- DIR/%j.log":    {"access.log", "1234.log"},
		"-o DIR/once.%y.log":                        {"once.log"},
		"DIR/fixed.log":                             {"fixed.log.1"},
		"DIR/%x/%X.%E.%q.%10Y":                      {"access.log"},
	} {
		dir := t.TempDir() // its name has no % as the command has
		t.Run(command, func(t *testing.T) {
			command := strings.ReplaceAll(command, "DIR", dir)
			writes(t, exec.Command(program, strings.Fields(command)...))
			checkGlobs(t, dir, program+" "+command, others)
		})
	}
}

// writes sends lines to a command and waits for its end.
func writes(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 20 { // several reads of its, as a rule, and so several files where a size is given
		if _, err := io.WriteString(in, "a line that is longer than ten bytes\n"); err != nil {
			t.Fatalf("%v: %s", err, &stderr)
		}
		runtime.Gosched()
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	const cronologAtEnd = 3 // its exit status when httpd has closed the pipe
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != cronologAtEnd {
		t.Fatalf("%v: %s", err, &stderr)
	}
}

// checkGlobs compares the files in dir with the globs of a command.
func checkGlobs(t *testing.T, dir, command string, others []string) {
	t.Helper()
	globs, err := pipe{command: command}.globs(filepath.Clean)
	if err != nil {
		t.Fatal(err)
	}
	matches := func(path string) bool {
		return slices.ContainsFunc(globs, func(glob string) bool {
			ok, err := filepath.Match(glob, path)
			if err != nil {
				t.Fatalf("%s: %v", glob, err)
			}
			return ok
		})
	}
	var found []string
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && path != filepath.Join(dir, "link") {
			if found = append(found, path); !matches(path) {
				t.Errorf("%s does not match %q", path, globs)
			}
		}
		return err
	})
	if err != nil || len(found) == 0 {
		t.Errorf("no file was written: %v", err)
	}
	for _, name := range append(others, "link", "access.log.1", "error.log") {
		if path := filepath.Join(dir, name); matches(path) {
			t.Errorf("%s matches %q", path, globs)
		}
	}
	for _, glob := range globs {
		if _, err := filepath.Glob(glob); err != nil {
			t.Errorf("%s: %v", glob, err)
		}
	}
}

// TestNumberedFilesAreMatchedToTheLast: rotatelogs -n N writes name and name.1 to
// name.N-1.
func TestNumberedFilesAreMatchedToTheLast(t *testing.T) {
	for _, n := range []int{1, 2, 3, 9, 10, 11, 12, 20, 99, 100, 101, 250, 1000, 1001} {
		globs := numbers("x.", n-1)
		for i := 1; i < n; i++ {
			name := fmt.Sprintf("x.%d", i)
			count := 0
			for _, glob := range globs {
				if ok, err := filepath.Match(glob, name); err != nil {
					t.Fatal(err)
				} else if ok {
					count++
				}
			}
			if count != 1 {
				t.Errorf("-n %d: %s is matched %d times by %q", n, name, count, globs)
			}
		}
		for _, glob := range globs {
			if ok, _ := filepath.Match(glob, "x.0"); ok {
				t.Errorf("-n %d: %s matches x.0", n, glob)
			}
		}
	}
}

// TestLogsThatAreNoFilesAreNotRead: a link to a device, a pipe and a directory are
// known by what they are here, and not in a copy of another host's configuration.
func TestLogsThatAreNoFilesAreNotRead(t *testing.T) {
	dir := t.TempDir()
	link := func(target, name string) string {
		path := filepath.Join(dir, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	needProgram(t, "mkfifo")
	pipePath := filepath.Join(dir, "pipe")
	if out, err := exec.Command("mkfifo", pipePath).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	regular := write(t, dir, "access.log", "")
	for path, want := range map[string]string{
		link("/dev/stdout", "stdout.log"):    "what httpd was started with",
		link("stdout.log", "twice.log"):      "what httpd was started with",
		link("/proc/self/fd/1", "fd.log"):    "of a process",
		link("/dev", "devices") + "/null":    "is a device",
		link("/proc/self/fd", "fds") + "/2":  "of a process",
		link("/dev/null", "null.log"):        "is a device",
		pipePath:                             "named pipe",
		link("pipe", "to-pipe.log"):          "named pipe",
		dir:                                  "is a directory",
		regular:                              "",
		link("access.log", "regular.log"):    "",
		filepath.Join(dir, "not-yet.log"):    "",
		link("nowhere", "dangling.log"):      "",
		link("endless.log", "endless.log"):   "",
		filepath.Join(regular, "impossible"): "",
	} {
		got := notALogFile(path, true)
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		if got := notALogFile(path, false); got != "" {
			t.Errorf("%s in a copy: %q", path, got)
		}
	}
}

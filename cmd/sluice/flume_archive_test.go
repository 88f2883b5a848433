package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice/ingest/avrorpc"
	flumewire "sluice/ingest/flume"
)

// sparse is the data directory of a collector with the lines that Flume's Avro sinks delivered to
// it.
type sparse struct {
	dir  string
	want []byte // all lines
}

// flumeEvents returns the lines of a log that begin in [from, to), as events of TAILDIR.
func flumeEvents(log, file string, from, to int) (events []flumewire.Event) {
	at := 0
	for line := range strings.Lines(log) {
		if at >= from && at < to {
			e := flumewire.Event{Body: []byte(strings.TrimRight(line, "\r\n"))}
			for name, value := range map[string]string{flumewire.HeaderHost: "web01", flumewire.HeaderFile: file, flumewire.HeaderByteOffset: strconv.Itoa(at)} {
				e.Headers = append(e.Headers, flumewire.Header{Key: []byte(name), Value: []byte(value)})
			}
			events = append(events, e)
		}
		at += len(line)
	}
	return events
}

// flumeLog returns a log of two days; some of its lines cannot be parsed.
func flumeLog(name, newline string, lines int) string {
	var b strings.Builder
	for i := range lines {
		if i%17 == 5 {
			fmt.Fprintf(&b, "no line %d of %s%s", i, name, newline)
			continue
		}
		fmt.Fprintf(&b, "192.0.2.%d - - [%02d/Sep/2026:10:%02d:%02d +0000] \"GET /%s/%d HTTP/1.1\" 200 %d%s", i%250, 3+2*i/lines, i/60%60, i%60, name, i, i, newline)
	}
	return b.String()
}

// deliverSparse starts a collector and delivers events that result in every kind of sparse stream:
// lines out of order, gaps, repeated batches, a rotation, and events without an offset.
func deliverSparse(t *testing.T) sparse {
	t.Helper()
	s := sparse{dir: t.TempDir()}
	address := freeAddress(t)
	c := start(t, append(collectorArgs(s.dir, address), "--flume-format", "common")...)
	var conn net.Conn
	c.await(t, func() bool {
		var err error
		conn, err = net.Dial("tcp", address)
		return err == nil
	})
	client, err := flumewire.NewClient(t.Context(), conn, avrorpc.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	send := func(events []flumewire.Event) {
		t.Helper()
		for batch := range slices.Chunk(events, 50) {
			if err := client.Append(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	plain, crlf, rotated := flumeLog("plain", "\n", 400), flumeLog("crlf", "\r\n", 300), flumeLog("rotated", "\n", 200)
	half := len(plain) / 2
	send(flumeEvents(plain, "/log/access.log", half, len(plain)))
	send(flumeEvents(plain, "/log/access.log", 0, half/2)) // leaves a gap up to the middle of the log
	send(flumeEvents(crlf, "/log/crlf.log", 0, len(crlf)))
	send(flumeEvents(plain, "/log/access.log", half, len(plain)-1000)) // repeated
	send(flumeEvents(rotated, "/log/access.log", 0, len(rotated)))
	var numbered []flumewire.Event
	for i := range 100 {
		line := fmt.Sprintf("192.0.2.1 - - [03/Sep/2026:11:00:%02d +0000] \"GET /numbered/%d HTTP/1.1\" 200 1", i%60, i)
		numbered = append(numbered, flumewire.Event{Body: []byte(line)})
		s.want = append(append(s.want, line...), '\n')
	}
	send(numbered)
	for _, events := range [][]flumewire.Event{flumeEvents(plain, "", half, len(plain)), flumeEvents(plain, "", 0, half/2), flumeEvents(crlf, "", 0, len(crlf)), flumeEvents(rotated, "", 0, len(rotated))} {
		for _, e := range events {
			s.want = append(append(s.want, e.Body...), '\n')
		}
	}
	if err := errors.Join(client.Close(), c.end(t)); err != nil {
		t.Fatalf("%v\n%s", err, c.output(t))
	}
	return s
}

// sluice runs a command on the data directory and returns its exit status and standard output.
func (s *sparse) sluice(t *testing.T, args ...string) (status int, stdout string) {
	t.Helper()
	var out, stderr bytes.Buffer
	status = run(context.Background(), append([]string{"--data", s.dir}, args...), nil, &out, &stderr)
	t.Logf("%v: status %d\n%s%s", args, status, &out, &stderr)
	return status, out.String()
}

// rows returns all rows of a table with their keys, sorted.
func (s *sparse) rows(t *testing.T, table string) []string {
	t.Helper()
	var out, stderr bytes.Buffer
	if status := run(context.Background(), []string{"--data", s.dir, "scan", "--output", "json", "--table", table}, nil, &out, &stderr); status != 0 {
		t.Fatalf("scan: status %d: %s", status, &stderr)
	}
	return slices.Sorted(strings.Lines(out.String()))
}

func (s *sparse) table(name string) string { return "parquet:" + filepath.Join(s.dir, name) }

func (s *sparse) archive() string {
	return "dir:" + filepath.Join(s.dir, "archive") + "/%Y%m%d/%{host}"
}

// TestFlumesStreamsAreReplayed checks that a table filled from the archive alone has the same rows
// as the table that was filled when Flume delivered the lines.
func TestFlumesStreamsAreReplayed(t *testing.T) {
	t.Parallel()
	s := deliverSparse(t)
	stored(t, s.dir, s.want)
	for _, args := range [][]string{{"audit"}, {"archive", "verify"}, {"run", "--from-archive", s.archive(), "--table", s.table("again")}, {"audit", "--table", s.table("again")}} {
		if status, _ := s.sluice(t, args...); status != 0 {
			t.Errorf("%v: status %d", args, status)
		}
	}
	was, again := s.rows(t, s.table("table")), s.rows(t, s.table("again"))
	if !slices.Equal(was, again) {
		t.Errorf("%d rows, %d replayed, not the same", len(was), len(again))
	}
}

// TestFlumesStreamsAreRepaired checks that errors in a table or an archive of Flume's streams are
// found, and repaired if the lines exist elsewhere.
func TestFlumesStreamsAreRepaired(t *testing.T) {
	t.Parallel()
	s := deliverSparse(t)
	file := s.largest(t)
	sound, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(wantStatus int, want string, args ...string) {
		t.Helper()
		status, out := s.sluice(t, args...)
		if matched, err := regexp.MatchString("(?m)"+want, out); err != nil || !matched || status != wantStatus {
			t.Errorf("%v: status %d, want %d, and %q", args, status, wantStatus, want)
		}
	}
	was := s.rows(t, s.table("table"))

	t.Run("rows are missing", func(t *testing.T) {
		if err := os.Rename(file, filepath.Join(s.dir, "away")); err != nil {
			t.Fatal(err)
		}
		expect(0, " failed=0$", "run", "--from-archive", s.archive(), "--table", s.table("less"))
		if err := os.Rename(filepath.Join(s.dir, "away"), file); err != nil {
			t.Fatal(err)
		}
		expect(1, "row missing", "audit", "--table", s.table("less"))
		expect(0, "^rows_written=[1-9]", "audit", "--repair", "--table", s.table("less"))
		expect(0, " differences=0 ", "audit", "--table", s.table("less"))
		if less := s.rows(t, s.table("less")); !slices.Equal(less, was) {
			t.Errorf("%d rows, want %d", len(less), len(was))
		}
	})
	t.Run("a file is there twice", func(t *testing.T) {
		write(append(slices.Clone(sound), sound...))
		expect(1, "archive holds twice", "audit")
		expect(0, "^written again: ", "audit", "--repair")
		expect(0, " problems=0 ", "archive", "verify")
		expect(0, " differences=0 ", "audit")
		write(sound)
	})
	t.Run("a file is gone", func(t *testing.T) {
		if err := os.Rename(file, filepath.Join(s.dir, "away")); err != nil {
			t.Fatal(err)
		}
		expect(1, "archive lacks: .* the table has [0-9]+ rows of it", "audit")
		expect(1, "not repaired: .*put the archive file back", "audit", "--repair")
		if err := os.Rename(filepath.Join(s.dir, "away"), file); err != nil {
			t.Fatal(err)
		}
		expect(0, " differences=0 ", "audit")
	})
	t.Run("a member is damaged", func(t *testing.T) {
		damaged := slices.Clone(sound)
		damaged[len(damaged)-6] ^= 8 // in the checksum of the last member's lines
		write(damaged)
		expect(1, "archive damaged", "audit")
		expect(1, "not repaired: ", "audit", "--repair")
		expect(1, " failed=1$", "run", "--from-archive", s.archive(), "--table", s.table("damaged"))
		if rows := s.rows(t, s.table("damaged")); len(rows) >= len(was) || len(rows) < len(was)-60 {
			t.Errorf("%d rows of %d", len(rows), len(was))
		}
		// An intact copy of the file in the archive repairs it.
		copied := filepath.Join(filepath.Dir(file), "access.copy-000001.log.gz")
		if err := os.WriteFile(copied, sound, 0o600); err != nil {
			t.Fatal(err)
		}
		expect(0, "^rows_written=0 ", "audit", "--repair")
		expect(0, " differences=0 ", "audit")
		expect(0, " problems=0 ", "archive", "verify")
		stored(t, s.dir, s.want)
		write(sound)
		if err := os.Remove(copied); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	})
	t.Run("a header is damaged", func(t *testing.T) {
		damaged := slices.Clone(sound)
		damaged[20] ^= 8
		write(damaged)
		expect(1, "are not a gzip member", "audit")
		// The lines of the lost member may not exist elsewhere, because the lines that Flume sent
		// are unknown.
		expect(1, "not repaired: .* its damage stays", "audit", "--repair")
		write(sound)
	})
	expect(0, " differences=0 ", "audit")
	if rows := s.rows(t, s.table("table")); !slices.Equal(rows, was) {
		t.Errorf("%d rows, want %d", len(rows), len(was))
	}
}

// largest returns the path of the largest file of the archive.
func (s *sparse) largest(t *testing.T) (largest string) {
	t.Helper()
	var bytes int64
	for _, path := range files(t, filepath.Join(s.dir, "archive")) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > bytes {
			largest, bytes = path, info.Size()
		}
	}
	return largest
}

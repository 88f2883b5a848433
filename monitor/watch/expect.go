package watch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxExpected is the limit of expected hosts.
const maxExpected = 10_000

// expandAll returns the hosts of a list of names and ranges. web01..web10 is a range at the end of
// a name, with the number of digits of its first host; shop[1-3].example.com is a range inside
// one.
func expandAll(list []string) ([]string, error) {
	var hosts []string
	for _, item := range list {
		item = strings.TrimSpace(item)
		names, err := expand(item, maxExpected-len(hosts))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", item, err)
		}
		hosts = append(hosts, names...)
	}
	return hosts, nil
}

var errTooMany = fmt.Errorf("more than %d hosts", maxExpected)

func expand(item string, room int) ([]string, error) {
	if item == "" || strings.ContainsAny(item, " \t/@,;") {
		return nil, errors.New("not a host name: write web01, web01..web10 or shop[1-3]")
	}
	if from, to, ok := strings.Cut(item, ".."); ok {
		prefix, first := cutDigits(from)
		other, last := cutDigits(to)
		if prefix != other || first == "" || last == "" || strings.ContainsAny(item, "[]") {
			return nil, errors.New("both ends of a range have the same beginning and then a number: web01..web10")
		}
		return count(prefix, first, last, "", room)
	}
	prefix, rest, ok := strings.Cut(item, "[")
	if !ok {
		if strings.Contains(item, "]") {
			return nil, errors.New("a ] without a [")
		}
		if room < 1 {
			return nil, errTooMany
		}
		return []string{item}, nil
	}
	span, suffix, closed := strings.Cut(rest, "]")
	first, last, ok := strings.Cut(span, "-")
	if !closed || !ok || strings.ContainsAny(suffix, "[]") {
		return nil, errors.New("a range in brackets is [FIRST-LAST], one in a name: shop[1-3]")
	}
	return count(prefix, first, last, suffix, room)
}

// count returns the names of a range.
func count(prefix, first, last, suffix string, room int) ([]string, error) {
	from, err := strconv.ParseUint(first, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number", first)
	}
	to, err := strconv.ParseUint(last, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number", last)
	}
	if to < from {
		return nil, fmt.Errorf("the range ends before it begins: %s to %s", first, last)
	}
	if to-from >= uint64(max(0, room)) {
		return nil, errTooMany
	}
	var names []string
	for n := from; n <= to; n++ {
		names = append(names, fmt.Sprintf("%s%0*d%s", prefix, len(first), n, suffix))
	}
	return names, nil
}

// cutDigits splits a name before its final digits.
func cutDigits(name string) (prefix, digits string) {
	i := len(name)
	for i > 0 && '0' <= name[i-1] && name[i-1] <= '9' {
		i--
	}
	return name[:i], name[i:]
}

// maxListBytes is the limit of the size of a file of expected hosts.
const maxListBytes = 4 << 20

// Expectation is the list of expected hosts from flags and a file. It is not safe for concurrent
// use.
type Expectation struct {
	names []string
	path  string // "": no file

	size     int64
	modified time.Time
	hosts    []string
}

// errNoHosts is the error of a file that lists no host: it is being written, or the program failed
// that makes it.
var errNoHosts = errors.New("it lists no host")

// NewExpectation reads the list and the file, if path is not "". That the file lists no host is not
// an error here: FileRead is false then, and Reload returns the error.
func NewExpectation(list []string, path string) (*Expectation, error) {
	names, err := expandAll(list)
	if err != nil {
		return nil, err
	}
	e := &Expectation{names: names, path: path, hosts: names}
	if _, err = e.Reload(); errors.Is(err, errNoHosts) {
		err = nil
	}
	return e, err
}

// FileRead reports whether the file was read, or there is none.
func (e *Expectation) FileRead() bool { return e.path == "" || !e.modified.IsZero() }

// Hosts returns the names that were read last.
func (e *Expectation) Hosts() []string { return e.hosts }

// Reload reads the file again if it changed. If it cannot be read, is wrong, or lists no host, Reload
// returns an error and the hosts stay unchanged.
func (e *Expectation) Reload() (changed bool, err error) {
	if e.path == "" {
		return false, nil
	}
	f, err := os.OpenFile(e.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() == e.size && info.ModTime().Equal(e.modified) {
		return false, nil
	}
	hosts, err := readList(io.LimitReader(f, maxListBytes+1), info.Size())
	if err != nil {
		return false, fmt.Errorf("%s: %w", e.path, err)
	}
	if len(hosts) == 0 {
		return false, fmt.Errorf("%s: %w", e.path, errNoHosts)
	}
	if len(hosts)+len(e.names) > maxExpected {
		return false, fmt.Errorf("%s: %w", e.path, errTooMany)
	}
	e.size, e.modified = info.Size(), info.ModTime()
	e.hosts = append(e.names[:len(e.names):len(e.names)], hosts...)
	return true, nil
}

// readList reads names and ranges, separated by white space and commas; # begins a comment.
func readList(r io.Reader, size int64) ([]string, error) {
	if size > maxListBytes {
		return nil, fmt.Errorf("it has more than %d bytes", maxListBytes)
	}
	var hosts []string
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		items := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' })
		names, err := expandAll(items)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if hosts = append(hosts, names...); len(hosts) > maxExpected {
			return nil, errTooMany
		}
	}
	return hosts, lines.Err()
}

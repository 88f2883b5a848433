package checkpoint

import (
	"path/filepath"
	"slices"
	"strings"
)

// compressedSuffixes are the suffixes that compressors append to a log's name.
var compressedSuffixes = []string{".gz", ".zst", ".bz2", ".xz", ".lz4", ".Z"}

// RotatedName returns the path without what logrotate and rotatelogs append to it: a number or a
// date, and the compressor's suffix.
func RotatedName(path string) string {
	path = trimCompressed(path)
	short := strings.TrimRight(path, "0123456789-_.")
	if short == path || strings.HasSuffix(short, "/") {
		return filepath.Clean(path)
	}
	return filepath.Clean(short)
}

func trimCompressed(path string) string {
	for _, suffix := range compressedSuffixes {
		if n := len(path) - len(suffix); n > 0 && strings.EqualFold(path[n:], suffix) {
			path = path[:n]
		}
	}
	return path
}

// Kinship is how a file's name relates to a log's. The content identifies a copy; the name decides
// between equal copies, and how much content must be equal.
type Kinship uint8

const (
	// Unrelated names have at most their beginning in common.
	Unrelated Kinship = iota
	// Siblings differ in a number or date at the end: access_log.80, access_log.443.
	Siblings
	// RotatedElsewhere is a rotation's name in another directory, such as an olddir.
	RotatedElsewhere
	// RotatedHere is a rotation's name in the log's own directory.
	RotatedHere
)

// KinshipOf compares the path of a file with that of a log.
func KinshipOf(path, log string) Kinship {
	rotated, here := isRotated(filepath.Base(path), filepath.Base(log)), filepath.Dir(path) == filepath.Dir(log)
	switch {
	case rotated && here:
		return RotatedHere
	case rotated:
		return RotatedElsewhere
	case RotatedName(path) == RotatedName(log):
		return Siblings
	}
	return Unrelated
}

// isRotated reports whether name is the log's name with a rotation's insertion before, within or
// after it: access-20261128.log, access.1.log, access.log.old, 20261128-access.log.
func isRotated(name, log string) bool {
	name, log = trimCompressed(name), trimCompressed(log)
	n := len(name) - len(log)
	if n <= 0 {
		return name == log
	}
	for i := 0; i <= len(log) && name[:i] == log[:i]; i++ {
		if name[i+n:] != log[i:] {
			continue
		}
		put := name[i : i+n]
		if isDecoration(put) && (i == 0 || !joined(log[i-1], put[0])) && (i == len(log) || !joined(put[n-1], log[i])) {
			return true
		}
	}
	return false
}

// Origins returns the names of the logs that a rotation may have made a file of this name from, without
// compressors' suffixes: those of which it is RotatedHere in their directory (KinshipOf). The first
// one is name itself without such a suffix.
func Origins(name string) []string {
	name = trimCompressed(name)
	logs := []string{name}
	for from := range len(name) {
		if from > 0 && joined(name[from-1], name[from]) {
			continue
		}
		for to := from + 1; to <= min(len(name), from+maxDecorationBytes); to++ {
			if to < len(name) && joined(name[to-1], name[to]) {
				continue
			}
			if !isDecoration(name[from:to]) {
				if isLetter(name[to-1]) { // it ends with another word, which longer parts have, too
					break
				}
				continue
			}
			if log := name[:from] + name[to:]; !slices.Contains(logs, log) {
				logs = append(logs, log)
			}
		}
	}
	return logs
}

// joined reports whether two bytes belong to one number or to one word.
func joined(a, b byte) bool { return isDigit(a) && isDigit(b) || isLetter(a) && isLetter(b) }

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// maxDecorationBytes is the limit of what a rotation inserts into a name.
const maxDecorationBytes = 64

// isDecoration reports whether s consists of numbers, separators and the words that rotations use,
// with at least one number or word.
func isDecoration(s string) bool {
	if len(s) > maxDecorationBytes {
		return false
	}
	found := s == "~"
	for i := 0; i < len(s); {
		end := i + 1
		for end < len(s) && joined(s[i], s[end]) {
			end++
		}
		switch {
		case isDigit(s[i]):
			found = true
		case isLetter(s[i]):
			if !isRotationWord(strings.ToLower(s[i:end])) {
				return false
			}
			found = true
		}
		i = end
	}
	return found
}

func isRotationWord(word string) bool {
	switch word {
	case "old", "bak", "backup", "bck", "save", "saved", "orig", "prev", "previous", "last", "copy", "rotated", "archived", "yesterday",
		"w", "t", "z", "utc", "am", "pm", "week", "day",
		"mon", "tue", "wed", "thu", "fri", "sat", "sun",
		"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
		"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
		"january", "february", "march", "april", "june", "july", "august", "september", "october", "november", "december":
		return true
	}
	return false
}

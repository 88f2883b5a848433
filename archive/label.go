package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	// noLabel is the element for a log without the label, or with an empty value.
	noLabel = "unknown"
	// maxLabelElementBytes leaves room for more text in the 255 bytes of a path's element.
	maxLabelElementBytes = 120
	// hashMark is put before the hash of a value that is too long; no escape begins like it.
	hashMark = "%~"
	// hashBytes makes it infeasible to choose two values with the same element.
	hashBytes = 16
)

// labelElement makes the value of a label an element of a path; different values become different
// elements. It is pathElement with three exceptions: an empty value becomes unknown, the value unknown
// becomes %75nknown, and a value longer than 120 bytes is cut and ends in %~ and a hash of the
// value.
func labelElement(value string) string {
	switch value {
	case "":
		return noLabel
	case noLabel:
		return "%75" + noLabel[1:]
	}
	element := pathElement(value)
	if len(element) <= maxLabelElementBytes {
		return element
	}
	hash := sha256.Sum256([]byte(value))
	cut := maxLabelElementBytes - len(hashMark) - 2*hashBytes
	for !utf8.RuneStart(element[cut]) {
		cut--
	}
	if i := strings.LastIndexByte(element[:cut], '%'); i > cut-len("%XX") {
		cut = i // not within an escape
	}
	return element[:cut] + hashMark + hex.EncodeToString(hash[:hashBytes])
}

// labelValue is the inverse of labelElement: "" if the log has no such label, or its value was cut.
// ok is false for text that labelElement does not make.
func labelValue(text string) (value string, ok bool) {
	if text == noLabel {
		return "", true
	}
	if cut, hash, long := strings.Cut(text, hashMark); long {
		_, err := hex.DecodeString(hash)
		value, unescaped := url.PathUnescape(cut)
		return "", err == nil && len(hash) == 2*hashBytes && unescaped == nil && pathElement(value) == cut
	}
	value, err := url.PathUnescape(text)
	return value, err == nil && value != "" && labelElement(value) == text
}

package avrorpc

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"strings"
)

// Hash identifies a protocol: the MD5 of its JSON text, as in the handshake.
type Hash = [md5.Size]byte

// Protocol is an Avro protocol with what the handshake needs.
type Protocol struct {
	Name string // with its namespace
	JSON string
	Hash Hash
}

// NewProtocol parses a protocol's JSON.
func NewProtocol(text string) (*Protocol, error) {
	name, err := protocolName([]byte(text))
	if err != nil {
		return nil, err
	}
	return &Protocol{Name: name, JSON: text, Hash: md5.Sum([]byte(text))}, nil
}

func protocolName(text []byte) (string, error) {
	var p struct{ Protocol, Namespace string }
	if err := json.Unmarshal(text, &p); err != nil {
		return "", fmt.Errorf("read an Avro protocol: %w", err)
	}
	if p.Protocol == "" {
		return "", fmt.Errorf("an Avro protocol without a name")
	}
	if p.Namespace == "" || strings.Contains(p.Protocol, ".") {
		return p.Protocol, nil
	}
	return p.Namespace + "." + p.Protocol, nil
}

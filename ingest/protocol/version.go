package protocol

import (
	_ "embed"

	"sluice/ingest/avrorpc"
)

// Version is a version of the protocol. Both sides of a connection use the newest one that both
// have: the client offers it in the handshake (avrorpc.ClientOptions.Earlier).
type Version int

const (
	// Version2 differs from Version3 in the Directive, which has no AcknowledgedLoss.
	Version2 Version = 2
	Version3 Version = 3
)

const nameOfVersion2 = "sluice.Collector2"

var (
	//go:embed collector2.avpr
	text2 string
	//go:embed collector3.avpr
	text3 string
)

// New returns the newest version of the protocol, for avrorpc's Service and NewClient.
func New() *avrorpc.Protocol { return Version3.Protocol() }

// Versions returns all versions that are spoken, the newest one first.
func Versions() []Version { return []Version{Version3, Version2} }

// Protocol returns this version's protocol. It panics if the embedded text is invalid, which a test
// excludes.
func (v Version) Protocol() *avrorpc.Protocol {
	text := text3
	if v == Version2 {
		text = text2
	}
	p, err := avrorpc.NewProtocol(text)
	if err != nil {
		panic(err) // the embedded text is constant
	}
	return p
}

// Earlier returns the protocols of all versions but the newest one, for avrorpc.ClientOptions.
func Earlier() (earlier []*avrorpc.Protocol) {
	for _, v := range Versions()[1:] {
		earlier = append(earlier, v.Protocol())
	}
	return earlier
}

// VersionOf returns the version of a protocol that New or Earlier returned.
func VersionOf(p *avrorpc.Protocol) Version {
	if p.Name == nameOfVersion2 { // Version2.Protocol would parse the text with each heartbeat
		return Version2
	}
	return Version3
}

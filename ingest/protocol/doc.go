// Package protocol has the messages between agent and collector, as
// docs/protocol.avdl says them, in Avro's encoding. What is decoded is bounded, and
// checked as far as it can be without knowing the stream.
package protocol

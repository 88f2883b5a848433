// Package protocol has the messages between agent and collector as in docs/protocol.avdl, in Avro's
// encoding. Decoded messages are limited in size and checked as far as possible without knowing the
// stream.
package protocol

// Package flume is Flume's AvroSourceProtocol, both sides: what an Avro sink sends
// to us, and what we send to an Avro source. Framing, compression and TLS are
// avrorpc's.
package flume

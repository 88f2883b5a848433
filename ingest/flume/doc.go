// Package flume implements Flume's AvroSourceProtocol: as a server for Avro sinks, and as a client
// for Avro sources. Framing, compression and TLS are in avrorpc.
package flume

// Package receiver is the side of a collector that agents speak to, ours and Flume's:
// it answers docs/protocol.avdl and AvroSourceProtocol, and gives what comes to an
// ingest.Collector. A reply to a batch comes when the collector has it on disk. Whoever
// sends is not trusted: a body is bounded and compared with its checksum, a host writes
// streams of its own only, and what is wrong with a stream is said about that stream.
package receiver

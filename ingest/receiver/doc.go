// Package receiver is the collector's side of the connections of agents, both sluice's and Flume's.
// It implements docs/protocol.avdl and AvroSourceProtocol, and passes batches to an
// collector.Collector. A batch is answered when the collector has it on disk. Senders are not trusted:
// the size of a body is limited and its checksum verified, and a host can write only its own
// streams. A problem with one stream is reported for that stream and does not end the connection.
package receiver

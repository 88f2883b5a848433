// Package avrorpc is Avro RPC over TCP with the framing of Java's NettyServer,
// as used by Flume's Avro source and sink.
//
// A frame, big-endian:
//
//	int32 serial | int32 list size | list size × ( int32 length | bytes )
//
// The list's buffers are one message, cut anywhere. A reply has the serial of its
// request, and replies may be sent in any order. The first request of a connection
// begins with a handshake: the MD5 of the client's protocol, and of the one that it
// expects the server to have (Avro 1.11 specification, "Handshake"). A request is a
// map of metadata, a message's name and its parameters; a reply is a map of
// metadata, whether it is an error, and the result or the error.
//
// [Server] serves several protocols on one port. Each connection has one goroutine
// that reads and one that begins calls in the order of their arrival; the rest of a
// call is done in a limited number of further goroutines. Input from the network is
// not trusted: see [Limits]. [Client] is one connection with many calls in flight.
// [Reader] and the Append functions implement Avro's binary encoding.
package avrorpc

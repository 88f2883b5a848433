// Package avrorpc is Avro RPC over TCP with the framing of Java's NettyServer,
// which is what Flume's Avro source and sink speak.
//
// A frame, big-endian:
//
//	int32 serial | int32 list size | list size × ( int32 length | bytes )
//
// The list's buffers are one message, cut anywhere. A reply repeats the serial of
// its request, and replies come in any order. The first request of a connection
// begins with a handshake: the MD5 of the protocol that the client speaks, and the
// one it believes the server to speak (Avro 1.11 specification, "Handshake"). A
// request is a map of metadata, a message's name and its parameters; a reply is a
// map of metadata, whether it is an error, and the result or the error.
//
// [Server] serves several protocols on one port. Each connection has one goroutine
// that reads and one that begins calls, in the order in which they came; what
// remains of a call is done in a bounded number of further goroutines. What comes
// from the network is never trusted: see [Limits]. [Client] is one connection with
// many calls on their way. [Reader] and the Append functions are Avro's binary
// encoding.
package avrorpc

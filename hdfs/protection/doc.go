// Package protection secures connections to HDFS for a client that knows nothing of
// it: what is given back takes the plain protocol, and speaks to a server of a
// cluster with Kerberos.
//
// A name node is spoken to by SASL's GSSAPI, as hadoop.rpc.protection has it; a data
// node by SASL's DIGEST-MD5 (RFC 2831), as dfs.data.transfer.protection has it, with
// the block's token for name and password. That token stands in the request, so the
// handshake waits for the first Write.
//
// Both are in colinmarc/hdfs too, and were rejected: its requests to name nodes go in
// clear at privacy, its reading from data nodes loses count where a read spans two
// messages, and of the ticket cache it knows what was in it at the start.
package protection

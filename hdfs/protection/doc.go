// Package protection secures connections to HDFS for a client without support for it: the returned
// connections speak the plain protocol to the client, and the secured one to a server of a cluster
// with Kerberos.
//
// At a name node it uses SASL's GSSAPI, as set by hadoop.rpc.protection; at a data node SASL's
// DIGEST-MD5 (RFC 2831), as set by dfs.data.transfer.protection, with the block's token as name and
// password. That token is in the request, so the handshake waits for the first Write.
//
// The implementations in colinmarc/hdfs were rejected: requests to name nodes are not encrypted at
// privacy, reading from data nodes fails if a read spans two messages, and the ticket cache is read
// only once.
package protection

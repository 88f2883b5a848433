// Package sasl secures connections to HBase: Kerberos, by SASL's mechanism GSSAPI (RFC 4752), and
// TLS. Each is a hadoop.Handshake; TLS wraps another handshake. For other protocols (HDFS) use a
// Context of Kerberos.
//
// The messages to the KDC are gokrb5's types. gokrb5's client is not used: it renews tickets in
// goroutines that cannot be waited for, reads replies of any length, and does not return the
// difference of the clocks. Tokens that carry data (RFC 4121) are implemented here, as gokrb5 signs
// but does not encrypt them.
package sasl

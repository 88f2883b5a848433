// Package sasl makes connections to a secured HBase: Kerberos, by SASL's
// mechanism GSSAPI (RFC 4752), and TLS. Each is an rpc.Handshake, and TLS goes
// around another one. Other protocols carry a Context of Kerberos.
//
// The messages to the KDC are gokrb5's types; what is sent, to whom and when is
// ours, because its client renews tickets in goroutines that cannot be waited
// for, reads answers of any length, and keeps no error that says how wrong a
// clock is. The tokens that carry data (RFC 4121) are ours too: gokrb5 signs
// them but does not seal.
package sasl

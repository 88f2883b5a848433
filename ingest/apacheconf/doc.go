// Package apacheconf follows the configuration of an Apache httpd: which access logs it writes, in
// which LogFormat, and which of them are not read.
//
// A [Follower] reads the configuration again when one of its files changes, and makes sources of
// its logs, which a tail.Tailer applies while it runs. If the user named sources, it only compares.
// A configuration that cannot be read changes nothing: the last one that could be read stays in
// use, and the reason is reported.
package apacheconf

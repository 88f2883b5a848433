// Package agent takes the logs of one host to a collector.
//
// What the tailer reads is compressed and kept in a window of some megabytes until a
// collector has it on disk; when the window is full reading waits, and the log is the
// queue. A connection that breaks costs nothing: the next one sends again what is in
// the window. A collector that knows less than the last one (another one, or one that
// lost its disk) is given what it lacks from the log itself, by reading on from the
// position that it names. Only what a collector says is stored is remembered in the
// checkpoint.
//
// Where the collector is a Flume, its OK is all there is: what it took is stored.
package agent

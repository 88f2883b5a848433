// Package agent sends the logs of one host to a collector.
//
// The tailer's batches are compressed and kept in a window of some megabytes until a collector has
// them on disk. When the window is full, reading waits: the log file is the queue. After a
// connection broke, the next one sends the batches of the window again. A collector that has fewer
// lines than the last one (another collector, or one that lost its disk) reports the position from
// which it needs them, and they are read from the log again. Only positions that a collector
// reports as stored are saved in the checkpoint.
//
// An Agent consists of parts, each with a lock of its own: the reader follows the logs and fills the
// window, the sender keeps a connection and runs a session on it, the saver saves the checkpoint, the
// reporter makes heartbeats, and farewells tells the other collectors where the host is. disputes and
// connectionState are what is kept from one session to the next.
//
// If the collector is a Flume source, a batch counts as stored when Flume replies OK, because Flume
// reports nothing later.
package agent

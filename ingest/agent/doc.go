// Package agent sends the logs of one host to a collector.
//
// The tailer's batches are compressed and kept in a window of some megabytes until a collector has
// them on disk. When the window is full, reading waits: the log file is the queue. After a
// connection broke, the next one sends the batches of the window again. A collector that has fewer
// lines than the last one (another collector, or one that lost its disk) reports the position from
// which it needs them, and they are read from the log again. Only positions that a collector
// reports as stored are saved in the checkpoint.
//
// If the collector is a Flume source, a batch counts as stored when Flume replies OK, because Flume
// reports nothing later.
package agent

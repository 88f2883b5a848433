// Package history keeps what each host did, minute by minute, in files of fixed size: for
// charts, and for judging today by last week.
//
// A Store is fed with an Observation of each host every few seconds (Offer, which never waits)
// and writes one record per host and minute (Run). Minutes, Quarters, Spark and Changes read it
// back; they may be called by any goroutine.
//
// # The file of a host
//
//	header    512 bytes: format, the host's name, checksum
//	minutes   11,520 records of 20 bytes: 8 days
//	quarters  38,400 records of 20 bytes: 400 days of 15 minutes
//	changes   256 records of 256 bytes: the last changes of the host's state
//
// That is 1,064,448 bytes, of which a file system keeps what was written: 29 kB in the first
// day, 252 kB after eight days. A record's place follows from its time, so each table is a ring,
// and its checksum covers its time: a record of an earlier turn of the ring, one that is torn,
// and one that was never written are all absent. Numbers have 12 bits: below 128 they are exact,
// above they are rounded to 0.4 %.
//
// Nothing is synced: after kill -9 at most the present minute is missing, after a power cut some
// more. A file with a wrong header or size is renamed to NAME.damaged and a new one is begun. An
// error of the disk costs history and nothing else.
package history

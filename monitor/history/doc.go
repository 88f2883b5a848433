// Package history stores the traffic and state of each host, minute by minute, in files of fixed
// size. Charts and the comparison with last week read it.
//
// A Store takes an Observation of each host every few seconds (Offer, which never blocks) and
// writes one record per host and minute (Run). Minutes, Quarters, Sparks and Changes read it
// back; they may be called by several goroutines.
//
// # The file of a host
//
//	header    512 bytes: format, the host's name, checksum
//	minutes   11,520 records of 20 bytes: 8 days
//	quarters  38,400 records of 20 bytes: 400 days of 15 minutes
//	changes   256 records of 256 bytes: the last changes of the host's state
//
// That is 1,064,448 bytes. The file is sparse: 29 kB are allocated on the first day, 252 kB after
// eight days. The offset of a record is calculated from its time, so each table is a ring. The
// checksum covers the time: a record of an earlier turn of the ring, one that is torn and one that
// was never written all count as absent. Numbers have 12 bits: below 128 they are exact, above
// they are rounded to 0.4 %.
//
// Files are not synced: after kill -9 at most the present minute is missing, after a power failure
// some more. A file with a wrong header or size is renamed to NAME.damaged and a new one is
// created. A disk error affects only the history.
package history

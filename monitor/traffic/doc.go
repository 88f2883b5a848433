// Package traffic finds hosts that send far fewer lines than expected from their own last weeks
// and from the traffic of all hosts. There is no fixed threshold to configure.
//
// A watch takes the number of lines of each host for each quarter of an hour; a [Live] reads
// them from a collector's history. The expected number of lines of host h is calculated from what
// it sent at the same time of the last four weeks, o = 1 … 4 weeks ago:
//
//	ratio(k, o) = lines(k, now) / lines(k, now-o)      for every host k
//	all(o)      = the median of ratio(k, o) over the hosts k
//	weekly(h)   = the median over o of lines(h, now-o) · all(o)
//	expected(h) = weekly(h) · level(h)
//
// The median over hosts measures what changes all of them: a holiday, growth, one more host behind
// the same load balancer. A peak of one host does not change the median; in a share of the sum it
// would make all others look low. level(h) ≤ 1 is the median of lines/weekly over 6 hours before
// the window, so that the expectation follows a host that is drained over days. The level is not
// updated while the host is low, nor, for up to a day, by quarters of an hour more than 3 standard
// deviations below the expectation: otherwise a loss that is not found within some hours would
// become the level and hide itself. A host whose level is below one half is considered drained and
// is not judged.
//
// Small counts, as at night, are not normally distributed. So a host is low if the logarithm of
// lines/expected is below zero by a number of standard deviations and the ratio is below a limit;
// both are in the table windows. The windows are the last 15 minutes, hour, 2 hours and 4 hours:
// the short ones find a host that stopped within 15 minutes, the long ones a host with few lines
// that lost half of them. The variance is the sum of the host's own, from the median absolute
// deviation (MAD) of these logarithms over 7 days, and of that of a Poisson distribution with the
// expected count: σ² = (1.4826 · MAD)² + 1/expected. Windows with few expected lines are not
// judged.
//
// Limits: a change of half of the hosts or more at the same time is taken for a change of all
// traffic. At least 4 hosts are needed. A host is judged from its third week on. A loss of less
// than about 40 % of a host's lines is not found.
package traffic

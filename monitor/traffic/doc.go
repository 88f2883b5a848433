// Package traffic finds hosts that send far fewer lines than their share of all hosts' traffic and
// their own last weeks let one expect. There is no threshold of traffic.
//
// A [Watch] is given the lines of each host, a quarter of an hour at a time; a [Live] takes them
// from a collector's history. What host h is expected to send follows from what it sent at the same
// time of the last four weeks, o = 1 … 4 weeks ago:
//
//	ratio(k, o) = lines(k, now) / lines(k, now-o)      for every host k
//	all(o)      = the median of ratio(k, o) over the hosts k
//	weekly(h)   = the median over o of lines(h, now-o) · all(o)
//	expected(h) = weekly(h) · level(h)
//
// The median over hosts is what the day does to all of them: a holiday, growth, one more host behind
// the same load balancer. The peak of one host does not move it; in a share of the sum it would
// make all others look low. level(h) ≤ 1 is the median of lines/weekly over 6 hours before the
// window: a host that is drained over days is expected to send what it sends. The level stands
// still while the host is low. Below one half the host is taken for drained, and is not judged.
//
// Counts are not normal at night, so a host is low if the logarithm of lines/expected is below zero by
// a number of standard deviations, and the ratio below a bound; table windows. Windows are the last
// 15 minutes, hour, 2 hours and 4 hours: the short ones find a host that is dead within 15 minutes, the
// long ones one half that is missing where there are few lines. The deviation is the host's own,
// 1.4826 · MAD of these logarithms over 7 days, with that of a Poisson distribution of so few lines
// as are expected: σ² = MAD² + 1/expected. Windows with few expected lines are not judged.
//
// What it cannot tell: what happens to half of the hosts or more at a time counts as what the day
// does. With fewer than 4 hosts there is nothing to compare with. A host is judged from its third
// week on. Less than about 40 % of a host's lines are not missed.
package traffic

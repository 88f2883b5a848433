// Package watch stores the state of hosts that must survive a restart: which hosts are
// expected and since when, when each was last heard, what each lost, which problems an
// operator acknowledged, and which messages were sent.
//
// A File is one small file (DATA/watch), replaced as a whole like the checkpoint. Its size is
// bounded. If it is damaged, only this state is lost. An Awake clock counts the time in which
// the process ran. The silence of a host is measured by it, so that a machine that was
// suspended reports no host as silent when it resumes. Expectation reads lists of expected
// hosts.
package watch

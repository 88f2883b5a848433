// Package watch keeps what a process must know of its hosts after a restart: which are
// expected and since when, when each was last heard, what each lost, which problems an
// operator acknowledged, and which messages were sent.
//
// A File is one small file (DATA/watch), replaced as a whole like the checkpoint. It is
// bounded, and a damaged one costs this knowledge and nothing else. An Awake clock counts
// the time in which the process could hear anything: silence is counted in it, so that a
// suspended machine names no host when it resumes.
package watch

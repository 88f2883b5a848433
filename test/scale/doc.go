// Package scale simulates a day of thousands of web hosts, their collectors and HBase, to find the
// settings for a number of hosts, and which part is overloaded first: docs/scale.md.
//
// It is a simulation of discrete events with a clock of its own. Decisions are made by the real code:
// the choice of a collector (agent.Route), the pauses between attempts (retry.Backoff), the governor of
// an agent with backlog (governor.Governor, which reads /proc/pressure/cpu of a directory that the
// simulation writes), and the sets of ranges that are received, claimed and stored
// (schema.RangeSet). What they act on is a model: logs are numbers of bytes, collectors and HBase
// are rates, which were measured (docs/benchmarks.md), and connections take no bandwidth. Not
// modelled: single lines, memory, the time of an upload, Kerberos, and a network that is slow.
//
// After each run every byte that was written must be stored by a collector whose disk is not lost:
// the run is a test of the positions, not only a table of figures.
package scale

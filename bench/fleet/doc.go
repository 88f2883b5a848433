// Package fleet simulates the logs of a busy web host: many access logs that grow at a given rate,
// are rotated, and are written to for some time after their rotation. It records what was written
// in a [Ledger], so that the output of a reader can be checked with [Verify] or [VerifySeen].
//
// The content of a file from its creation or truncation to the next is called a life. The path in
// each line has the numbers of its file, life and line, and the time of writing in nanoseconds.
// Otherwise it is a normal line in the combined format.
package fleet

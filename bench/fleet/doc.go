// Package fleet makes what a busy web host has: many access logs that grow at a
// given rate, are rotated, and are written to after their rotation. It remembers
// every byte that it wrote (the Ledger), so that what a reader delivered can be
// checked against it (Verify, VerifySeen).
//
// A file's content from its creation, or from a truncation, to the next is a
// life. Every line says in its path which file, which life and which line of it
// this is and when it was written, to the nanosecond; it is a line in the
// combined format like any other.
package fleet

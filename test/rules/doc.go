// Package rules holds the rules that the source tree is held to, as tests:
// which package may import which, how long a function may be, what the documents
// must name. It has no code of its own.
package rules

// Package rules checks the rules of this source tree as tests: which package may import which, the
// length of functions, what the documents must contain. It has no other code.
package rules

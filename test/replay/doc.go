// Package replay is for tests that do random operations: a test draws a [Script], whose operations
// are lines of text, and a [Machine] runs it. A script that fails is reduced, and the smallest that
// was found is printed as text, which the test runs again with -replay FILE.
//
// A test declares the flag, and gives it to [Machine.Test]:
//
//	var replayFile = flag.String("replay", "", "run the script in this file instead of random ones")
package replay

// Package report writes what a table holds of a span of time as one HTML file that can be mailed:
// requests by hour and class of status, bytes, hosts, the most frequent paths, and the slowest
// ones. The file loads nothing, has no script, and says so in a Content-Security-Policy of its own.
package report

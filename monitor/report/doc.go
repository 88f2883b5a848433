// Package report writes a report of a table's rows in a time range as one HTML file that can be
// mailed: requests by hour and class of status, bytes, hosts, the most frequent paths, and the
// slowest ones. The file has no script and loads no other resource; its Content-Security-Policy
// enforces both.
package report

// Package peers runs other programs that follow logs, to be measured beside ours.
package peers

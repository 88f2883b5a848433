// Package dashboard serves the state of the hosts of a collector, an agent or a run as web pages:
// all hosts, the worst first (/), one host with its charts (/host/NAME), and the sinks (/sinks).
//
// The pages work without scripts and load nothing from other servers. Charts are SVG, drawn by this
// package. The script (assets/page.js) reloads the page every 15 s and filters hosts by name.
//
// Names of hosts, paths and reasons come from other machines. They are written to a page only by
// html/template, which escapes them. The only text made without it, the paths of charts, contains
// only numbers and letters of SVG commands.
package dashboard

// Package dashboard serves the state of the hosts of a collector, an agent or a run as web pages:
// all hosts, the worst first (/), one host with its charts (/host/NAME), and the sinks (/sinks).
//
// The pages work without scripts and load nothing from other servers. Charts are SVG, drawn by this
// package. The script (assets/page.js) fetches the page again every 15 s and filters hosts by name.
package dashboard

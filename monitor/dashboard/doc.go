// Package dashboard serves what a collector, an agent or a run knows of its hosts as web pages:
// all hosts, the worst first (/), one host with its charts (/host/NAME), and the sinks (/sinks).
//
// The pages need no script and nothing from another server. Charts are SVG, made here; the
// script (assets/page.js) loads the page again every 15 s and filters hosts by name.
//
// Names of hosts, paths and reasons come from other machines. They reach a page through
// html/template only; what is made without it (paths of charts) is made of numbers.
package dashboard

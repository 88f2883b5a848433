// Package attack tests a collector under attack by hostile senders: a real collector and the real
// agent of an honest host run as processes during an attack.
//
// Each [attack] is a row of "Under attack" in docs/benchmarks.md. The short form runs each attack
// while the honest host delivers a small log; make attack uses a long log and prints the rates.
package attack

package replay

import (
	"slices"
	"strconv"
	"strings"
)

// reducer looks for the smallest script that fails, by delta debugging: it leaves out
// operations, half of them at first and single ones at last, then makes numbers smaller.
type reducer struct {
	fails    func(Script) string // why a script fails; empty: it does not
	attempts int                 // how many more scripts may be run
	script   Script              // the smallest that failed so far
	why      string
}

// keeps tries a smaller script, and keeps it if it fails too.
func (r *reducer) keeps(smaller Script) bool {
	if r.attempts == 0 {
		return false
	}
	r.attempts--
	why := r.fails(smaller)
	if why != "" {
		r.script, r.why = smaller, why
	}
	return why != ""
}

// leaveOut leaves out operations after the first ones, which are fixed.
func (r *reducer) leaveOut(fixed int) {
	for n := (len(r.script) - fixed + 1) / 2; n > 0; n /= 2 {
		for again := true; again; {
			again = false
			for at := fixed; at+n <= len(r.script) && r.attempts > 0; {
				if r.keeps(slices.Delete(slices.Clone(r.script), at, at+n)) {
					again = n == 1 // an operation that was needed before may not be needed now
				} else {
					at += n
				}
			}
		}
	}
}

// lessen replaces numbers by 1 or half of them.
func (r *reducer) lessen(usages map[string]string) {
	for i := range r.script {
		for k, word := range strings.Fields(usages[r.script[i].Verb])[1:] {
			if word != number {
				continue
			}
			n := r.script[i].Args.Int(k)
			if n <= 1 || r.keeps(r.with(i, k, 1)) {
				continue
			}
			for n > 3 && r.keeps(r.with(i, k, n/2)) {
				n /= 2
			}
		}
	}
}

// with returns the script with n as argument k of operation i.
func (r *reducer) with(i, k, n int) Script {
	s := slices.Clone(r.script)
	s[i].Args = slices.Clone(s[i].Args)
	s[i].Args[k] = strconv.Itoa(n)
	return s
}

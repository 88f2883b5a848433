package replay

import (
	"slices"
	"strconv"
	"strings"
)

// reducer looks for the smallest script that fails, by delta debugging: it leaves out
// operations, half of them at first, then single ones, and pairs at last, then makes numbers smaller.
// The operations after the one that failed are left out without a run.
type reducer struct {
	fails    func(Script) (why string, ran int) // why a script fails; empty: it does not
	fixed    int                                // operations at the beginning that stay
	attempts int                                // how many more scripts may be run
	script   Script                             // the smallest that failed so far
	why      string
}

// keeps tries a smaller script, and keeps it if it fails too.
func (r *reducer) keeps(smaller Script) bool {
	if r.attempts == 0 {
		return false
	}
	r.attempts--
	why, ran := r.fails(smaller)
	if why != "" {
		r.script, r.why = smaller[:max(ran, min(r.fixed, len(smaller)))], why
	}
	return why != ""
}

// leaveOut leaves out operations after the fixed ones.
func (r *reducer) leaveOut() {
	fixed := r.fixed
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
	r.leaveOutPairs()
}

// leaveOutPairs leaves out operations of which one needs the other, such as a crash and a start.
func (r *reducer) leaveOutPairs() {
	for i := r.fixed; i < len(r.script); i++ {
		for j := i + 1; j < len(r.script) && r.attempts > 0; {
			without := slices.Delete(slices.Clone(r.script), j, j+1)
			if !r.keeps(slices.Delete(without, i, i+1)) {
				j++
			} else {
				j = i + 1
			}
		}
	}
}

// lessen replaces numbers by 1 or half of them.
func (r *reducer) lessen(usages map[string]string) {
	for i := 0; i < len(r.script); i++ {
		for k, word := range strings.Fields(usages[r.script[i].Verb])[1:] {
			if word != number || i >= len(r.script) {
				continue
			}
			n := r.script[i].Args.Int(k)
			if n <= 1 || r.keeps(r.with(i, k, 1)) {
				continue
			}
			for n > 3 && i < len(r.script) && r.keeps(r.with(i, k, n/2)) {
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

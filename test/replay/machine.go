package replay

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
)

// Machine runs scripts on a W: what is tested, beside a model of what it should do.
type Machine[W any] struct {
	// Random draws a script.
	Random func(*rand.Rand) Script
	// Start makes what a script runs on; t's TempDir and Cleanup end with the run.
	Start func(t testing.TB) W
	// Ops are the operations by usage: a verb, and a word for each argument. N is a number, "..." at
	// the end of the last word means any number of arguments. A run whose t failed ends with that
	// operation.
	Ops map[string]func(t testing.TB, w W, args Args)
	// End checks the result of a script; nil if operations check all.
	End func(t testing.TB, w W)

	// Fixed operations at the beginning of a script, settings for example, are in each smaller one.
	Fixed int
	// Attempts bounds how many smaller scripts are run; 0 is 1,000.
	Attempts int
	// Bubble runs each script in a bubble of testing/synctest. The test must be a *testing.T then.
	Bubble bool
}

// Test runs the script in the file, if it has a name, otherwise a random script for each seed
// below seeds until one fails, each as a subtest.
func (m *Machine[W]) Test(t *testing.T, file string, seeds int) {
	if m.again(t, file) {
		return
	}
	name := t.Name()
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			m.check(t, name, m.Random(rand.New(rand.NewPCG(seed, 7))))
		})
		if t.Failed() { // to reduce one script takes long enough
			return
		}
	}
}

// Each runs the script in the file, if it has a name, otherwise the scripts until one fails, for
// example one script with a fault at each operation. A script has been run when the next is asked
// for.
func (m *Machine[W]) Each(t *testing.T, file string, scripts iter.Seq[Script]) {
	if m.again(t, file) {
		return
	}
	for s := range scripts {
		if m.check(t, t.Name(), s); t.Failed() {
			return
		}
	}
}

// Text runs a script that is given as text, for example by a fuzz test. It returns false if the text
// is not a script.
func (m *Machine[W]) Text(t *testing.T, text string) bool {
	s, err := parse(text, m.usages())
	if err != nil {
		return false
	}
	if why, _ := m.run(t, s); why != "" {
		t.Errorf("%s\n%s", why, s)
	}
	return true
}

// again runs the script in the file; false if it has no name.
func (m *Machine[W]) again(t *testing.T, file string) bool {
	if file == "" {
		return false
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parse(string(text), m.usages())
	if err != nil {
		t.Fatal(err)
	}
	if why, _ := m.run(t, s); why != "" {
		t.Error(why)
	}
	return true
}

// check runs a script, and prints a smaller one if it fails.
func (m *Machine[W]) check(t testing.TB, name string, s Script) {
	t.Helper()
	if again, err := parse(s.String(), m.usages()); err != nil || again.String() != s.String() {
		t.Fatalf("%v\nthe script\n%sis read as\n%s", err, s, again)
	}
	why, ran := m.run(t, s)
	if why == "" {
		return
	}
	attempts := m.Attempts
	if attempts == 0 {
		attempts = 1000
	}
	r := &reducer{fails: func(s Script) (string, int) { return m.run(t, s) }, fixed: m.Fixed, attempts: attempts, script: s[:max(ran, min(m.Fixed, len(s)))], why: why}
	r.leaveOut()
	r.lessen(m.usages())
	t.Errorf("%s\nThe smallest script that fails, of %d that were tried; `go test -run '^%s$' -replay FILE` runs it again:\n%s",
		r.why, 1+attempts-r.attempts, name, r.script)
}

// run runs a script, and returns why it failed; empty: it did not. ran is the number of operations
// that began; those after them are not needed for the failure.
func (m *Machine[W]) run(t testing.TB, s Script) (why string, ran int) {
	if m.Bubble {
		synctest.Test(t.(*testing.T), func(t *testing.T) { why, ran = m.do(t, s) })
		return why, ran
	}
	return m.do(t, s)
}

func (m *Machine[W]) do(t testing.TB, s Script) (why string, ran int) {
	usages := m.usages()
	why = record(t, func(t testing.TB) {
		w := m.Start(t)
		for _, o := range s {
			ran++
			m.Ops[usages[o.Verb]](t, w, o.Args)
			if t.Failed() {
				return
			}
		}
		if m.End != nil {
			m.End(t, w)
		}
	})
	return why, ran
}

// usages are the keys of Ops by verb.
func (m *Machine[W]) usages() map[string]string {
	usages := map[string]string{}
	for usage := range m.Ops {
		verb, _, _ := strings.Cut(usage, " ")
		usages[verb] = usage
	}
	return usages
}

package replay

import (
	"fmt"
	"strconv"
	"strings"
)

// Op is one operation: a verb and its arguments, none of which has white space.
type Op struct {
	Verb string
	Args Args
}

// Args are the arguments of an operation.
type Args []string

// Script is a list of operations, in the order in which they are done.
type Script []Op

// NewOp returns an operation with arguments as fmt.Sprint writes them. A list of words separated by spaces
// becomes an argument for each.
func NewOp(verb string, args ...any) Op {
	op := Op{Verb: verb}
	for _, a := range args {
		op.Args = append(op.Args, strings.Fields(fmt.Sprint(a))...)
	}
	return op
}

// Int returns argument i, which the operation's usage calls N. It panics if that is no number.
func (a Args) Int(i int) int {
	n, err := strconv.Atoi(a[i])
	if err != nil {
		panic(fmt.Sprintf("replay: argument %d: %v", i, err))
	}
	return n
}

func (o Op) String() string { return strings.Join(append([]string{o.Verb}, o.Args...), " ") }

// String returns the script's text, an operation a line.
func (s Script) String() string {
	var b strings.Builder
	for _, o := range s {
		b.WriteString(o.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// parse reads a script. Empty lines and lines that begin with # are comments. usages has the
// usage of each verb.
func parse(text string, usages map[string]string) (Script, error) {
	var s Script
	for i, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		o := Op{fields[0], fields[1:]}
		usage, known := usages[o.Verb]
		if !known {
			return nil, fmt.Errorf("replay: line %d: unknown operation %q", i+1, o.Verb)
		}
		if !o.match(usage) {
			return nil, fmt.Errorf("replay: line %d: %q; usage: %s", i+1, o, usage)
		}
		s = append(s, o)
	}
	return s, nil
}

// match compares an operation with its usage: see [Machine].
func (o Op) match(usage string) bool {
	words := strings.Fields(usage)[1:]
	if n := len(words); n > 0 && strings.HasSuffix(words[n-1], "...") {
		words = words[:n-1]
		if len(o.Args) < len(words) {
			return false
		}
	} else if len(o.Args) != n {
		return false
	}
	for i, word := range words {
		if _, err := strconv.Atoi(o.Args[i]); word == number && err != nil {
			return false
		}
	}
	return true
}

// number is the word in a usage for an argument that is a number.
const number = "N"

package httpdconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// macro is mod_macro's <Macro name $param …>: text that Use puts in.
type macro struct {
	name   string // lower case
	params []string
	body   []macroLine
}

type macroLine struct {
	text string
	at   place
}

// macros are the macros that are defined at this point of the configuration.
type macros struct {
	defined map[string]*macro
	using   []string // being expanded, the innermost last
}

// define reads a macro's head and collects its body.
func (x *macros) define(in *input, args string, at place) error {
	w := words(args)
	if len(w) == 0 || w[0] == "" {
		return errors.New("<Macro> needs a name")
	}
	m := &macro{name: strings.ToLower(w[0]), params: w[1:]}
	for len(m.params) > 0 && strings.HasPrefix(m.params[0], "/") {
		m.params = m.params[1:] // /IgnoreEmptyArgs, /IgnoreBadNesting
	}
	if slices.Contains(m.params, "") {
		return fmt.Errorf("macro %s has a parameter without a name", m.name)
	}
	nested := 1
	in.collected = section{name: "macro", at: at}
	in.collect = func(line string, at place) error {
		switch w, _ := word(line); strings.ToLower(w) {
		case "<macro":
			nested++
		case "</macro>":
			nested--
		}
		if nested == 0 {
			in.collect = nil
			x.defined[m.name] = m
			return nil
		}
		m.body = append(m.body, macroLine{line, at})
		return nil
	}
	return nil
}

// use reads a macro's lines as if they stood at this place of the file.
func (r *reader) use(in *input, args []string, at place) error {
	if len(args) == 0 || args[0] == "" {
		return errors.New("needs a macro's name")
	}
	name := strings.ToLower(args[0])
	m, ok := r.macros.defined[name]
	if !ok {
		return fmt.Errorf("macro %s is not defined above; define it with <Macro %s>", name, name)
	}
	if slices.Contains(r.macros.using, name) {
		return fmt.Errorf("macro %s uses itself", name)
	}
	if len(args)-1 != len(m.params) {
		return fmt.Errorf("macro %s takes %d arguments, not %d", name, len(m.params), len(args)-1)
	}
	r.macros.using = append(r.macros.using, name)
	defer func() { r.macros.using = r.macros.using[:len(r.macros.using)-1] }()
	arguments := m.replacer(args[1:])
	for _, l := range m.body {
		var text boundedText
		_, err := arguments.WriteString(&text, l.text)
		if err == nil {
			err = r.line(in, text.String(), l.at)
		}
		if err != nil {
			return fmt.Errorf("%w (macro %s, used at %s)", err, name, at)
		}
	}
	return nil
}

// replacer puts arguments in place of the parameters. Where two match, the longer
// one counts; an argument of a parameter that starts with '@' is put in quotes.
func (m *macro) replacer(args []string) *strings.Replacer {
	byLength := make([]int, len(m.params))
	for i := range byLength {
		byLength[i] = i
	}
	slices.SortStableFunc(byLength, func(a, b int) int { return len(m.params[b]) - len(m.params[a]) })
	guard := strings.NewReplacer(`"`, `\"`, `\`, `\\`)
	pairs := make([]string, 0, 2*len(args))
	for _, i := range byLength {
		value := args[i]
		if m.params[i][0] == '@' {
			value = `"` + guard.Replace(value) + `"`
		}
		pairs = append(pairs, m.params[i], value)
	}
	return strings.NewReplacer(pairs...)
}

// boundedText is a line that must not grow past maxLineBytes.
type boundedText struct{ strings.Builder }

func (b *boundedText) Write(p []byte) (int, error) { return b.WriteString(string(p)) }

func (b *boundedText) WriteString(s string) (int, error) {
	if b.Len()+len(s) > maxLineBytes {
		return 0, fmt.Errorf("a line of more than %d bytes once its arguments are put in", maxLineBytes)
	}
	return b.Builder.WriteString(s)
}

func (x *macros) undefine(args []string) error {
	if len(args) == 0 {
		return errors.New("needs a macro's name")
	}
	delete(x.defined, strings.ToLower(args[0]))
	return nil
}

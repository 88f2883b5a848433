package httpdconf

import (
	"fmt"
	"strings"
)

// input is a file being read, with its open sections.
type input struct {
	base int // earlier sections in sections.open belong to the including files
	// collect consumes raw lines that are not directives (a section whose condition is false, a
	// macro's body, Perl) until it finds the end and clears itself.
	collect   func(line string, at place) error
	collected section // the section that collect ends with
}

// section is an open <name …>.
type section struct {
	name string // lower case, without "<"
	at   place
	// decided sections disappear when httpd has evaluated them: they are no context.
	decided bool
}

// foreign sections contain another language, up to their closing tag.
var foreign = map[string]bool{
	"perl": true, "luahooktranslatename": true, "luahookfixups": true, "luahookmaptostorage": true,
	"luahookaccesschecker": true, "luahookcheckuserid": true, "luahookauthchecker": true,
	"luahooktypechecker": true, "luaquickhandler": true,
}

func (r *reader) openSection(in *input, tag, args string, at place) error {
	name := strings.TrimPrefix(tag, "<")
	if trimmed, ok := strings.CutSuffix(name, ">"); ok {
		name = trimmed
		if args == "" {
			args = ">"
		}
	}
	end := strings.LastIndexByte(args, '>')
	if end < 0 {
		return fmt.Errorf("<%s has no closing '>'; add it at the end of the line", name)
	}
	args = strings.Trim(args[:end], spaces)
	s := section{name: name, at: at}
	if decide, ok := conditions[name]; ok {
		holds, err := decide(r, args, at)
		if err != nil {
			return fmt.Errorf("<%s %s>: %w", name, args, err)
		}
		if !holds {
			in.skip(s)
			return nil
		}
		s.decided = true
	}
	switch {
	case name == "macro":
		return r.macros.define(in, args, at)
	case foreign[name]:
		r.warnings.add(at, "<%s> is not run: a log that it sets up is not listed", name)
		in.ignore(s)
		return nil
	case name == "virtualhost":
		if err := r.servers.openVirtualHost(args); err != nil {
			return err
		}
	}
	r.sections.open = append(r.sections.open, s)
	return nil
}

func (r *reader) closeSection(in *input, tag string) error {
	name, ok := strings.CutSuffix(strings.TrimPrefix(tag, "</"), ">")
	if !ok {
		return fmt.Errorf("%s has no closing '>'; write %s> without a space", tag, tag)
	}
	if len(r.sections.open) == in.base {
		return fmt.Errorf("%s closes nothing in this file; remove it or add <%s …>", tag, name)
	}
	last := r.sections.open[len(r.sections.open)-1]
	if last.name != name {
		return fmt.Errorf("expected </%s> (for %s), found %s", last.name, last.at, tag)
	}
	r.sections.open = r.sections.open[:len(r.sections.open)-1]
	if name == "virtualhost" {
		r.servers.current = r.servers.main
	}
	return nil
}

// endFile rejects sections left open, except those that httpd has evaluated.
func (r *reader) endFile(in *input) error {
	if in.collect != nil {
		s := in.collected
		return &placedError{s.at, fmt.Errorf("<%s> is not closed in its file; add </%s>", s.name, s.name)}
	}
	for _, s := range r.sections.open[in.base:] {
		if !s.decided {
			return &placedError{s.at, fmt.Errorf("<%s> is not closed in its file; add </%s>", s.name, s.name)}
		}
		r.warnings.add(s.at, "<%s> is not closed in its file; httpd takes the rest of the file as part of it", s.name)
	}
	r.sections.open = r.sections.open[:in.base]
	return nil
}

// skip skips a section whose condition is false; sections in it must nest.
func (in *input) skip(s section) {
	nest := []string{s.name}
	in.collected = s
	in.collect = func(line string, at place) error {
		w, args := word(line)
		w = strings.ToLower(w)
		switch {
		case strings.HasPrefix(w, "</"):
			name := strings.TrimSuffix(w[2:], ">")
			if last := nest[len(nest)-1]; name != last {
				return fmt.Errorf("expected </%s> (in <%s> of %s), found %s", last, s.name, s.at, w)
			}
			if nest = nest[:len(nest)-1]; len(nest) == 0 {
				in.collect = nil
			}
		case strings.HasPrefix(w, "<"):
			if args == "" {
				w = strings.TrimSuffix(w, ">")
			}
			nest = append(nest, w[1:])
		}
		return nil
	}
}

// ignore skips lines that are not directives.
func (in *input) ignore(s section) {
	in.collected = s
	in.collect = func(line string, at place) error {
		if w, _ := word(line); strings.EqualFold(w, "</"+s.name+">") {
			in.collect = nil
		}
		return nil
	}
}
